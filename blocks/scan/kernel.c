/* The selective scan on a CPU, forward and backward, in C with the vector extensions of GCC and
 * Clang: no headers of PyTorch, no intrinsics, so one source serves x86 and ARM.
 *
 * A vector holds LANES channels at one step of time. Time is cut into tiles of TILE steps that
 * stay in the first cache: a tile of a block of LANES channels is transposed on its way in and
 * out, and states are advanced STATES at a time. The forward pass saves the state at the start
 * of every tile; the backward pass recomputes a tile from it, then walks it from its last step.
 *
 * Arrays are dense float32: u, delta, y (batch, channels, length), A (channels, states),
 * B, C (batch, groups, states, length), D, bias (channels) or null. A task is one batch item,
 * one group and one slice of the group's blocks of channels; `scratch` holds what one thread
 * needs, the size that ablate_scan_scratch tells.
 *
 * Not to be compiled with -ffast-math: rounding by adding a large number would vanish, and so
 * would the NaN that says training diverged.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define TILE 32
#define STATES 4
#define LOG2_E 1.44269504088896340736f
#define LN_2 0.69314718055994530942f
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef SHUFFLE
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ints){__VA_ARGS__})
#endif

/* The shuffles of a butterfly, each one instruction: neighbours, pairs, quarters of 128 bits. */
#if LANES == 4
#define LOW(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define HIGH(a, b) SHUFFLE(a, b, 2, 6, 3, 7)
#define LOW2(a, b) SHUFFLE(a, b, 0, 1, 4, 5)
#define HIGH2(a, b) SHUFFLE(a, b, 2, 3, 6, 7)
#elif LANES == 8
#define LOW(a, b) SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LOW2(a, b) SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(a, b) SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define EVEN4(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define ODD4(a, b) SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#else
#define LOW(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH(a, b) SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LOW2(a, b) SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH2(a, b) SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define EVEN4(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define ODD4(a, b) SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
#endif

INLINE vec splat(float x) { return x - (vec){0}; }

INLINE words magnitude(vec x) { return (words)x & 0x7fffffffu; }
INLINE vec choose(ints mask, vec yes, vec no) { return (vec)((mask & (ints)yes) | (~mask & (ints)no)); }

/* NaN stays NaN. */
INLINE vec clamp(vec x, vec limit)
{
    x = choose(x > limit, limit, x);
    return choose(x < -limit, -limit, x);
}

/* 2^(d * rate), for |d * rate| <= 126: d * rate is rounded to an integer n by adding 1.5 * 2^23,
 * 2^rest is a polynomial with relative error 1e-7, and n is added to its exponent. */
INLINE vec power_of_two(vec d, vec rate)
{
    const vec shift = splat(12582912.0f);
    vec n = d * rate + shift;
    vec rest = d * rate - (n - shift);
    vec p = splat(0.001326472731307149f);
    p = p * rest + 0.009671512991189957f;
    p = p * rest + 0.05550733581185341f;
    p = p * rest + 0.24022242426872253f;
    p = p * rest + 0.6931470036506653f;
    p = p * rest + 1.0f;
    return (vec)((words)p + ((words)n << 23));
}

/* log(1 + exp(x)), relative error 2e-7; if asked, also its derivative. */
INLINE vec softplus(vec x, vec *derivative)
{
    vec size = (vec)magnitude(x);
    vec z = power_of_two(size, splat(-LOG2_E));
    ints negative = (ints)x >> 31;
    z = (vec)((ints)z & ~(size > 87.0f)); /* too small to count, and past what is computed right */
    vec q = splat(0.005364823155105114f);
    q = q * z - 0.030065787956118584f;
    q = q * z + 0.07920452952384949f;
    q = q * z - 0.13753801584243774f;
    q = q * z + 0.191536545753479f;
    q = q * z - 0.24857163429260254f;
    q = q * z + 0.3332132399082184f;
    q = q * z - 0.49999648332595825f;
    q = q * z + 1.0f;
    if (derivative) {
        vec sigmoid = 1.0f / (1.0f + z);
        *derivative = choose(negative, z * sigmoid, sigmoid);
    }
    return q * z + (vec)((ints)x & ~negative);
}

/* LANES x LANES: out[c] holds element c of every row. */
INLINE void transpose(const vec *row, vec *out)
{
    vec t[LANES];
    for (int q = 0; q < LANES; q += 4) {
        vec a = LOW(row[q], row[q + 1]), b = HIGH(row[q], row[q + 1]);
        vec c = LOW(row[q + 2], row[q + 3]), d = HIGH(row[q + 2], row[q + 3]);
        t[q] = LOW2(a, c), t[q + 1] = HIGH2(a, c);
        t[q + 2] = LOW2(b, d), t[q + 3] = HIGH2(b, d);
    }
#if LANES == 4
    for (int c = 0; c < 4; c++) out[c] = t[c];
#elif LANES == 8
    for (int c = 0; c < 4; c++) {
        out[c] = EVEN4(t[c], t[c + 4]);
        out[c + 4] = ODD4(t[c], t[c + 4]);
    }
#else
    for (int c = 0; c < 4; c++) {
        vec p = EVEN4(t[c], t[c + 4]), r = ODD4(t[c], t[c + 4]);
        vec q = EVEN4(t[c + 8], t[c + 12]), s = ODD4(t[c + 8], t[c + 12]);
        out[c] = EVEN4(p, q), out[c + 4] = EVEN4(r, s);
        out[c + 8] = ODD4(p, q), out[c + 12] = ODD4(r, s);
    }
#endif
}

/* Element c of the result is the sum over the lanes of row[c]. */
INLINE vec lane_sums(const vec *row)
{
    vec t[LANES / 4];
    for (int q = 0; q < LANES / 4; q++) {
        const vec *r = row + 4 * q;
        vec a = LOW(r[0], r[1]) + HIGH(r[0], r[1]), b = LOW(r[2], r[3]) + HIGH(r[2], r[3]);
        t[q] = LOW2(a, b) + HIGH2(a, b);
    }
#if LANES == 4
    return t[0];
#elif LANES == 8
    return EVEN4(t[0], t[1]) + ODD4(t[0], t[1]);
#else
    vec p = EVEN4(t[0], t[1]) + ODD4(t[0], t[1]), q = EVEN4(t[2], t[3]) + ODD4(t[2], t[3]);
    return EVEN4(p, q) + ODD4(p, q);
#endif
}

/* TILE steps of LANES channels, `stride` floats apart, into one vector per step; what lies past
 * the `live` channels and `steps` steps that exist reads as zero. */
INLINE void read_tile(vec *out, const float *from, size_t stride, int live, int steps)
{
    float edge[LANES][TILE];
    if (live < LANES || steps < TILE) {
        memset(edge, 0, sizeof edge);
        for (int r = 0; r < live; r++) memcpy(edge[r], from + r * stride, 4 * (size_t)steps);
        from = edge[0], stride = TILE;
    }
    for (int t = 0; t < TILE; t += LANES) {
        vec row[LANES];
        for (int r = 0; r < LANES; r++) row[r] = *(const vec_unaligned *)(from + r * stride + t);
        transpose(row, out + t);
    }
}

INLINE void write_tile(const vec *in, float *to, size_t stride, int live, int steps)
{
    float edge[LANES][TILE];
    int whole = live == LANES && steps == TILE;
    float *target = whole ? to : edge[0];
    size_t apart = whole ? stride : TILE;
    for (int t = 0; t < TILE; t += LANES) {
        vec row[LANES];
        transpose(in + t, row);
        for (int r = 0; r < LANES; r++) *(vec_unaligned *)(target + r * apart + t) = row[r];
    }
    if (!whole)
        for (int r = 0; r < live; r++) memcpy(to + r * stride, edge[r], 4 * (size_t)steps);
}

/* One value per channel of a block, zero where there is no channel. */
INLINE vec read_channels(const float *from, size_t stride, int live)
{
    vec out = {0};
    if (from)
        for (int r = 0; r < live; r++) out[r] = from[r * stride];
    return out;
}

INLINE void write_channels(vec in, float *to, size_t stride, int live)
{
    for (int r = 0; r < live; r++) to[r * stride] = in[r];
}

/* (states, length) <-> (tiles, states, TILE), so that a tile is one run of memory. */
static void pack(const float *from, float *to, int states, int length)
{
    int tiles = (length + TILE - 1) / TILE;
    for (int k = 0; k < tiles; k++)
        for (int n = 0; n < states; n++, to += TILE) {
            int steps = length - k * TILE < TILE ? length - k * TILE : TILE;
            memcpy(to, from + (size_t)n * length + k * TILE, 4 * (size_t)steps);
            if (steps < TILE) memset(to + steps, 0, 4 * (size_t)(TILE - steps));
        }
}

static void unpack(const float *from, float *to, int states, int length)
{
    int tiles = (length + TILE - 1) / TILE;
    for (int k = 0; k < tiles; k++)
        for (int n = 0; n < states; n++, from += TILE) {
            int steps = length - k * TILE < TILE ? length - k * TILE : TILE;
            memcpy(to + (size_t)n * length + k * TILE, from, 4 * (size_t)steps);
        }
}

/* What every task reads, and where it writes. */
typedef struct {
    const float *u, *delta, *A, *B, *C, *D, *bias;
    float *y, *saved;
    const float *grad;
    float *d_u, *d_delta, *d_A, *d_B, *d_C, *d_D, *d_bias;
    float *scratch;
    int batch, groups, channels, states, length, softplus, slices, threads;
} problem;

/* Where one block of channels lies. */
typedef struct {
    int first, live; /* first channel, how many exist */
    size_t rows;     /* offset of its rows in u, delta, y */
    float *saved;    /* its states, (tiles, states, LANES), or null */
} block;

INLINE int tiles_of(const problem *p) { return (p->length + TILE - 1) / TILE; }
INLINE int group_size(const problem *p) { return p->channels / p->groups; }
INLINE int blocks_of(const problem *p) { return (group_size(p) + LANES - 1) / LANES; }

INLINE block block_at(const problem *p, int item, int group, int index)
{
    block b;
    int left = group_size(p) - index * LANES;
    b.first = group * group_size(p) + index * LANES;
    b.live = left < LANES ? left : LANES;
    b.rows = ((size_t)item * p->channels + b.first) * p->length;
    size_t place = ((size_t)item * p->groups + group) * blocks_of(p) + index;
    b.saved = p->saved ? p->saved + place * tiles_of(p) * p->states * LANES : NULL;
    return b;
}

/* Decay rates of a block, in powers of two; returns the step up to which none of them leaves the
 * range of power_of_two. */
INLINE vec read_rates(const problem *p, const block *b, vec *rate)
{
    vec fastest = {0};
    for (int n = 0; n < p->states; n++) {
        rate[n] = LOG2_E * read_channels(p->A + (size_t)b->first * p->states + n, p->states, b->live);
        fastest = choose((vec)magnitude(rate[n]) > fastest, (vec)magnitude(rate[n]), fastest);
    }
    return 126.0f / fastest;
}

/* Whether a step of the tile is longer than that, or no number: rare, and then decays take care. */
INLINE int has_long_steps(const vec *step, vec limit)
{
    union {
        ints lanes;
        int32_t each[LANES];
    } any = {{0}};
    for (int t = 0; t < TILE; t++) any.lanes |= ~((vec)magnitude(step[t]) <= limit);
    int found = 0;
    for (int r = 0; r < LANES; r++) found |= any.each[r];
    return found;
}

INLINE vec decay(vec step, vec rate, int careful)
{
    if (careful) return power_of_two(clamp(step * rate, splat(126.0f)), splat(1.0f));
    return power_of_two(step, rate);
}

/* y += C h over a tile, for `count` states from h on. */
INLINE void advance(const vec *step, const vec *inflow, vec *y, const float *B, const float *C,
                    vec *state, const vec *rate, int careful, int count)
{
    vec h[STATES];
    for (int j = 0; j < count; j++) h[j] = state[j];
    for (int t = 0; t < TILE; t++) {
        vec sum = y[t];
        for (int j = 0; j < count; j++) {
            h[j] = decay(step[t], rate[j], careful) * h[j] + inflow[t] * B[j * TILE + t];
            sum += h[j] * C[j * TILE + t];
        }
        y[t] = sum;
    }
    for (int j = 0; j < count; j++) state[j] = h[j];
}

INLINE void advance_all(const vec *step, const vec *inflow, vec *y, const float *B,
                        const float *C, vec *state, const vec *rate, int careful, int states)
{
    int n = 0;
    for (; n + STATES <= states; n += STATES)
        advance(step, inflow, y, B + n * TILE, C + n * TILE, state + n, rate + n, careful, STATES);
    for (; n < states; n++)
        advance(step, inflow, y, B + n * TILE, C + n * TILE, state + n, rate + n, careful, 1);
}

INLINE void forward_block(const problem *p, const block *b, const float *B, const float *C,
                          vec *h, vec *rate, int softplus_on)
{
    vec u[TILE], step[TILE], y[TILE];
    vec bias = read_channels(p->bias ? p->bias + b->first : NULL, 1, b->live);
    vec skip = read_channels(p->D ? p->D + b->first : NULL, 1, b->live);
    vec limit = read_rates(p, b, rate);
    memset(h, 0, (size_t)p->states * sizeof(vec));
    for (int k = 0; k < tiles_of(p); k++) {
        int left = p->length - k * TILE, steps = left < TILE ? left : TILE;
        size_t at = b->rows + (size_t)k * TILE;
        const float *Bk = B + (size_t)k * p->states * TILE, *Ck = C + (size_t)k * p->states * TILE;
        if (b->saved) memcpy(b->saved + (size_t)k * p->states * LANES, h, p->states * sizeof(vec));
        read_tile(u, p->u + at, p->length, b->live, steps);
        read_tile(step, p->delta + at, p->length, b->live, steps);
        for (int t = 0; t < TILE; t++) {
            step[t] = softplus_on ? softplus(step[t] + bias, NULL) : step[t] + bias;
            y[t] = skip * u[t];
            u[t] *= step[t];
        }
        if (has_long_steps(step, limit))
            advance_all(step, u, y, Bk, Ck, h, rate, 1, p->states);
        else
            advance_all(step, u, y, Bk, Ck, h, rate, 0, p->states);
        write_tile(y, p->y + at, p->length, b->live, steps);
    }
}

/* One tile of the backward pass, by step. */
typedef struct {
    vec u[TILE], step[TILE], slope[TILE], inflow[TILE], grad[TILE];
    vec through_inflow[TILE], through_rate[TILE];
} tile;

/* The gradients of `count` states over one tile. `ahead` is the gradient of the state after the
 * tile on entry, of the state before it on return. B's and C's are added to d_B, d_C. */
INLINE void retreat(tile *x, const float *B, const float *C, float *d_B, float *d_C,
                    const float *saved, vec *ahead, vec *d_rate, const vec *rate, int careful,
                    int count)
{
    vec a[STATES][TILE], kept[STATES][TILE]; /* decay, decay * state before */
    vec h[STATES];
    for (int j = 0; j < count; j++) memcpy(h + j, saved + j * LANES, sizeof(vec));
    for (int t = 0; t < TILE; t++)
        for (int j = 0; j < count; j++) {
            a[j][t] = decay(x->step[t], rate[j], careful);
            kept[j][t] = a[j][t] * h[j];
            h[j] = kept[j][t] + x->inflow[t] * B[j * TILE + t];
        }
    for (int j = 0; j < count; j++) h[j] = ahead[j];
    for (int t = TILE - 1; t >= 0; t--) {
        vec through_inflow = x->through_inflow[t], through_rate = x->through_rate[t];
        for (int j = 0; j < count; j++) {
            vec b = splat(B[j * TILE + t]);
            vec g = h[j] + x->grad[t] * C[j * TILE + t];
            vec exponent = g * kept[j][t];
            vec state_now = kept[j][t] + x->inflow[t] * b;
            h[j] = g * a[j][t];
            through_inflow += g * b;
            through_rate += exponent * rate[j];
            d_rate[j] += exponent * x->step[t];
            a[j][t] = g * x->inflow[t];
            kept[j][t] = state_now * x->grad[t];
        }
        x->through_inflow[t] = through_inflow, x->through_rate[t] = through_rate;
    }
    for (int j = 0; j < count; j++) {
        ahead[j] = h[j];
        for (int t = 0; t < TILE; t += LANES) {
            *(vec_unaligned *)(d_B + j * TILE + t) += lane_sums(a[j] + t);
            *(vec_unaligned *)(d_C + j * TILE + t) += lane_sums(kept[j] + t);
        }
    }
}

INLINE void retreat_all(tile *x, const float *B, const float *C, float *d_B, float *d_C,
                        const float *saved, vec *ahead, vec *d_rate, const vec *rate, int careful,
                        int states)
{
    int n = 0;
    for (; n + STATES <= states; n += STATES)
        retreat(x, B + n * TILE, C + n * TILE, d_B + n * TILE, d_C + n * TILE, saved + n * LANES,
                ahead + n, d_rate + n, rate + n, careful, STATES);
    for (; n < states; n++)
        retreat(x, B + n * TILE, C + n * TILE, d_B + n * TILE, d_C + n * TILE, saved + n * LANES,
                ahead + n, d_rate + n, rate + n, careful, 1);
}

INLINE void backward_block(const problem *p, const block *b, int item, const float *B,
                           const float *C, float *d_B, float *d_C, vec *ahead, vec *d_rate,
                           vec *rate, int softplus_on)
{
    tile x;
    vec bias = read_channels(p->bias ? p->bias + b->first : NULL, 1, b->live);
    vec skip = read_channels(p->D ? p->D + b->first : NULL, 1, b->live);
    vec d_skip = {0}, d_bias = {0};
    vec limit = read_rates(p, b, rate);
    memset(ahead, 0, (size_t)p->states * sizeof(vec));
    memset(d_rate, 0, (size_t)p->states * sizeof(vec));
    for (int k = tiles_of(p) - 1; k >= 0; k--) {
        int left = p->length - k * TILE, steps = left < TILE ? left : TILE;
        size_t at = b->rows + (size_t)k * TILE, row = (size_t)k * p->states * TILE;
        const float *saved = b->saved + (size_t)k * p->states * LANES;
        read_tile(x.u, p->u + at, p->length, b->live, steps);
        read_tile(x.step, p->delta + at, p->length, b->live, steps);
        read_tile(x.grad, p->grad + at, p->length, b->live, steps);
        for (int t = 0; t < TILE; t++) {
            vec raw = x.step[t] + bias;
            x.step[t] = softplus_on ? softplus(raw, x.slope + t) : raw;
            x.inflow[t] = x.step[t] * x.u[t];
            x.through_inflow[t] = x.through_rate[t] = splat(0.0f);
            d_skip += x.grad[t] * x.u[t];
        }
        if (has_long_steps(x.step, limit))
            retreat_all(&x, B + row, C + row, d_B + row, d_C + row, saved, ahead, d_rate, rate, 1,
                        p->states);
        else
            retreat_all(&x, B + row, C + row, d_B + row, d_C + row, saved, ahead, d_rate, rate, 0,
                        p->states);
        for (int t = 0; t < TILE; t++) {
            vec d_step = x.through_rate[t] * LN_2 + x.through_inflow[t] * x.u[t];
            x.u[t] = x.through_inflow[t] * x.step[t] + skip * x.grad[t];
            x.step[t] = softplus_on ? d_step * x.slope[t] : d_step;
        }
        for (int t = 0; t < steps; t++) d_bias += x.step[t];
        write_tile(x.u, p->d_u + at, p->length, b->live, steps);
        write_tile(x.step, p->d_delta + at, p->length, b->live, steps);
    }
    size_t channel = (size_t)item * p->channels + b->first;
    for (int n = 0; n < p->states; n++)
        write_channels(d_rate[n], p->d_A + channel * p->states + n, p->states, b->live);
    write_channels(d_skip, p->d_D + channel, 1, b->live);
    write_channels(d_bias, p->d_bias + channel, 1, b->live);
}

/* Floats of scratch that one thread needs: packed B, C (and their gradients), states. */
static size_t scratch_of(const problem *p)
{
    size_t packed = (size_t)tiles_of(p) * p->states * TILE;
    size_t floats = (p->grad ? 4 : 2) * packed + 3 * (size_t)p->states * LANES;
    return (floats + 15) / 16 * 16;
}

size_t ablate_scan_scratch(const problem *p) { return scratch_of(p); }
int ablate_scan_lanes(void) { return LANES; }
int ablate_scan_tile(void) { return TILE; }
int ablate_scan_sizeof(void) { return (int)sizeof(problem); }

static void run_task(const problem *p, int task, float *scratch)
{
    int slice = task % p->slices, group = task / p->slices % p->groups;
    int item = task / p->slices / p->groups, blocks = blocks_of(p);
    size_t packed = (size_t)tiles_of(p) * p->states * TILE, size = (size_t)p->states * p->length;
    size_t place = ((size_t)item * p->groups + group) * size;
    vec *h = (vec *)scratch, *d_rate = h + p->states;
    vec *rate = d_rate + p->states;
    float *B = (float *)(rate + p->states), *C = B + packed, *d_B = C + packed, *d_C = d_B + packed;
    pack(p->B + place, B, p->states, p->length);
    pack(p->C + place, C, p->states, p->length);
    if (p->grad) memset(d_B, 0, 2 * packed * sizeof(float));
    for (int i = blocks * slice / p->slices; i < blocks * (slice + 1) / p->slices; i++) {
        block b = block_at(p, item, group, i);
        if (p->grad && p->softplus)
            backward_block(p, &b, item, B, C, d_B, d_C, h, d_rate, rate, 1);
        else if (p->grad)
            backward_block(p, &b, item, B, C, d_B, d_C, h, d_rate, rate, 0);
        else if (p->softplus)
            forward_block(p, &b, B, C, h, rate, 1);
        else
            forward_block(p, &b, B, C, h, rate, 0);
    }
    if (!p->grad) return;
    place += (size_t)slice * p->batch * p->groups * size;
    unpack(d_B, p->d_B + place, p->states, p->length);
    unpack(d_C, p->d_C + place, p->states, p->length);
}

/* Forward, or backward where `grad` is set. d_A, d_D, d_bias are per batch item, d_B and d_C per
 * slice: whoever calls adds them up. `scratch` is threads times ablate_scan_scratch floats. */
void ablate_scan(const problem *p)
{
    int tasks = p->batch * p->groups * p->slices;
#ifdef _OPENMP
#pragma omp parallel for num_threads(p->threads) schedule(static) if (p->threads > 1)
    for (int task = 0; task < tasks; task++)
        run_task(p, task, p->scratch + omp_get_thread_num() * scratch_of(p));
#else
    for (int task = 0; task < tasks; task++) run_task(p, task, p->scratch);
#endif
}
