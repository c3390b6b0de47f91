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

#if defined(LANES) /* the width of another processor, to test it on this one */
#elif defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define TILE 32
#define GROUP 4 /* vectors that go through the same operations side by side */
#define BACK (LANES == 16 ? 4 : 2) /* states that go back side by side, as registers allow */
#define EACH for (int i = 0; i < GROUP; i++)
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

/* out = 2^(a * b) for GROUP pairs, |a * b| <= 126: the product is rounded to an integer n by
 * adding 1.5 * 2^23, 2^rest is a polynomial with relative error 1e-7, and n is added to its
 * exponent. All pairs take each operation together, so that none waits for its own result. */
INLINE void powers_of_two(const vec *a, int a_apart, const vec *b, int b_apart, vec *out)
{
    static const float poly[] = {0.009671512991189957f, 0.05550733581185341f,
                                 0.24022242426872253f, 0.6931470036506653f, 1.0f};
    const vec shift = splat(12582912.0f);
    vec n[GROUP], rest[GROUP], p[GROUP];
    EACH n[i] = a[i * a_apart] * b[i * b_apart] + shift;
    EACH rest[i] = a[i * a_apart] * b[i * b_apart] - (n[i] - shift);
    EACH p[i] = 0.001326472731307149f * rest[i] + poly[0];
    for (int k = 1; k < 5; k++) EACH p[i] = p[i] * rest[i] + poly[k];
    EACH out[i] = (vec)((words)p[i] + ((words)n[i] << 23));
}

/* x = log(1 + exp(x)) for GROUP vectors, relative error 2e-7; if asked, also its derivative. */
INLINE void softplus(vec *x, vec *derivative)
{
    static const float poly[] = {-0.030065787956118584f, 0.07920452952384949f,
                                 -0.13753801584243774f,  0.191536545753479f,
                                 -0.24857163429260254f,  0.3332132399082184f,
                                 -0.49999648332595825f,  1.0f};
    const vec rate = splat(-LOG2_E);
    vec size[GROUP], z[GROUP], q[GROUP];
    EACH size[i] = (vec)magnitude(x[i]);
    powers_of_two(size, 1, &rate, 0, z);
    EACH z[i] = (vec)((ints)z[i] & ~(size[i] > 87.0f)); /* nil, and past what is computed right */
    EACH q[i] = 0.005364823155105114f * z[i] + poly[0];
    for (int k = 1; k < 8; k++) EACH q[i] = q[i] * z[i] + poly[k];
    if (derivative)
        EACH derivative[i] = choose((ints)x[i] >> 31, z[i], splat(1.0f)) / (1.0f + z[i]);
    EACH x[i] = q[i] * z[i] + (vec)((ints)x[i] & ~((ints)x[i] >> 31));
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
 * the `live` channels and `steps` steps that exist reads as zero. Fetches the tile that is `next`
 * floats away ahead of its turn: a processor cannot foresee so many short runs. */
INLINE void read_tile(vec *out, const float *from, size_t stride, int live, int steps, int next)
{
    float edge[LANES][TILE];
    for (int r = 0; r < live; r++)
        for (int t = 0; t < TILE; t += 16) __builtin_prefetch(from + r * stride + next + t);
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

INLINE void write_tile(const vec *in, float *to, size_t stride, int live, int steps, int next)
{
    for (int r = 0; r < live; r++)
        for (int t = 0; t < TILE; t += 16) __builtin_prefetch(to + r * stride + next + t, 1);
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

/* Steps from `begin` on of (states, length) -> (tiles, states, TILE), so that a tile is one run of
 * memory; filled up with zeros. */
static void pack(const float *from, float *to, int states, int length, int begin, int tiles)
{
    for (int k = 0; k < tiles; k++, begin += TILE)
        for (int n = 0; n < states; n++, to += TILE) {
            int steps = length - begin < TILE ? length - begin : TILE;
            memcpy(to, from + (size_t)n * length + begin, 4 * (size_t)steps);
            if (steps < TILE) memset(to + steps, 0, 4 * (size_t)(TILE - steps));
        }
}

/* And back. */
static void unpack(const float *from, float *to, int states, int length, int begin, int tiles)
{
    for (int k = 0; k < tiles; k++, begin += TILE)
        for (int n = 0; n < states; n++, from += TILE) {
            int steps = length - begin < TILE ? length - begin : TILE;
            memcpy(to + (size_t)n * length + begin, from, 4 * (size_t)steps);
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

/* One block of channels: where it lies, and what it carries from tile to tile. */
typedef struct {
    vec limit, bias, skip; /* the longest step whose decays need no care */
    vec d_skip, d_bias;
    vec *rate, *state, *d_rate; /* per state; `state` is its gradient on the way back */
    float *saved;               /* the states at the start of every tile, or null */
    size_t rows;                /* offset of its rows in u, delta, y */
    int first, live;            /* first channel, how many exist */
} block;

INLINE int tiles_of(const problem *p) { return (p->length + TILE - 1) / TILE; }
INLINE int group_size(const problem *p) { return p->channels / p->groups; }
INLINE int blocks_of(const problem *p) { return (group_size(p) + LANES - 1) / LANES; }

/* Tiles that all blocks of a slice go through before the next ones: what B and C have there
 * stays in the second cache. */
INLINE int chunk_of(const problem *p)
{
    int tiles = 256 / (p->states + 1) < 4 ? 4 : 256 / (p->states + 1);
    return tiles < tiles_of(p) ? tiles : tiles_of(p);
}

static void open_block(const problem *p, block *b, int item, int group, int index, vec *room)
{
    int left = group_size(p) - index * LANES;
    size_t place = ((size_t)item * p->groups + group) * blocks_of(p) + index;
    vec fastest = {0};
    memset(b, 0, sizeof *b);
    memset(room, 0, 3 * p->states * sizeof(vec));
    b->rate = room, b->state = room + p->states, b->d_rate = room + 2 * p->states;
    b->first = group * group_size(p) + index * LANES;
    b->live = left < LANES ? left : LANES;
    b->rows = ((size_t)item * p->channels + b->first) * p->length;
    b->saved = p->saved ? p->saved + place * tiles_of(p) * p->states * LANES : NULL;
    b->bias = read_channels(p->bias ? p->bias + b->first : NULL, 1, b->live);
    b->skip = read_channels(p->D ? p->D + b->first : NULL, 1, b->live);
    for (int n = 0; n < p->states; n++) {
        const float *A = p->A + (size_t)b->first * p->states + n;
        b->rate[n] = LOG2_E * read_channels(A, p->states, b->live);
        vec speed = (vec)magnitude(b->rate[n]);
        fastest = choose(speed > fastest, speed, fastest);
    }
    b->limit = 126.0f / fastest;
}

static void close_block(const problem *p, const block *b, int item)
{
    size_t channel = (size_t)item * p->channels + b->first;
    for (int n = 0; n < p->states; n++)
        write_channels(b->d_rate[n], p->d_A + channel * p->states + n, p->states, b->live);
    write_channels(b->d_skip, p->d_D + channel, 1, b->live);
    write_channels(b->d_bias, p->d_bias + channel, 1, b->live);
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

/* Decays of GROUP pairs of step and rate. */
INLINE void decays(const vec *step, int step_apart, const vec *rate, int rate_apart, vec *out,
                   int careful)
{
    const vec one = splat(1.0f);
    vec x[GROUP];
    if (!careful) {
        powers_of_two(step, step_apart, rate, rate_apart, out);
        return;
    }
    EACH x[i] = clamp(step[i * step_apart] * rate[i * rate_apart], splat(126.0f));
    powers_of_two(x, 1, &one, 0, out);
}

/* y += C h over a tile, for GROUP states. */
INLINE void advance_group(const vec *step, const vec *inflow, vec *y, const float *B,
                          const float *C, vec *state, const vec *rate, int careful)
{
    vec h[GROUP], a[GROUP];
    EACH h[i] = state[i];
    for (int t = 0; t < TILE; t++) {
        vec sum = y[t];
        decays(step + t, 0, rate, 1, a, careful);
        EACH h[i] = a[i] * h[i] + inflow[t] * B[i * TILE + t];
        EACH sum += h[i] * C[i * TILE + t];
        y[t] = sum;
    }
    EACH state[i] = h[i];
}

/* The same for one state: GROUP steps side by side. */
INLINE void advance_one(const vec *step, const vec *inflow, vec *y, const float *B, const float *C,
                        vec *state, const vec *rate, int careful)
{
    vec h = *state, a[GROUP];
    for (int t = 0; t < TILE; t += GROUP) {
        decays(step + t, 1, rate, 0, a, careful);
        EACH {
            h = a[i] * h + inflow[t + i] * B[t + i];
            y[t + i] += h * C[t + i];
        }
    }
    *state = h;
}

INLINE void advance(const vec *step, const vec *inflow, vec *y, const float *B, const float *C,
                    vec *state, const vec *rate, int careful, int states)
{
    int n = 0;
    for (; n + GROUP <= states; n += GROUP)
        advance_group(step, inflow, y, B + n * TILE, C + n * TILE, state + n, rate + n, careful);
    for (; n < states; n++)
        advance_one(step, inflow, y, B + n * TILE, C + n * TILE, state + n, rate + n, careful);
}

INLINE void forward_tile(const problem *p, block *b, int k, const float *B, const float *C,
                         int softplus_on)
{
    vec u[TILE], step[TILE], y[TILE];
    int left = p->length - k * TILE, steps = left < TILE ? left : TILE;
    size_t at = b->rows + (size_t)k * TILE, size = p->states * sizeof(vec);
    if (b->saved) memcpy(b->saved + (size_t)k * p->states * LANES, b->state, size);
    read_tile(u, p->u + at, p->length, b->live, steps, TILE);
    read_tile(step, p->delta + at, p->length, b->live, steps, TILE);
    for (int t = 0; t < TILE; t += GROUP) {
        EACH step[t + i] += b->bias;
        if (softplus_on) softplus(step + t, NULL);
        EACH y[t + i] = b->skip * u[t + i], u[t + i] *= step[t + i];
    }
    if (has_long_steps(step, b->limit))
        advance(step, u, y, B, C, b->state, b->rate, 1, p->states);
    else
        advance(step, u, y, B, C, b->state, b->rate, 0, p->states);
    write_tile(y, p->y + at, p->length, b->live, steps, TILE);
}

/* One tile of the backward pass, by step. */
typedef struct {
    vec u[TILE], step[TILE], slope[TILE], inflow[TILE], grad[TILE];
    vec through_inflow[TILE], through_rate[TILE];
} tile;

/* What one state went through in a tile: its decay at every step, and h[t], the state before
 * step t. Turned, on the way back, into what each step adds to the gradients of B and C. */
typedef struct {
    vec decay[TILE], h[TILE + 1];
} course;

/* The first half: recompute. */
INLINE void replay_group(const tile *x, course *c, const float *B, const vec *rate, int careful)
{
    vec h[GROUP], a[GROUP];
    EACH h[i] = c[i].h[0];
    for (int t = 0; t < TILE; t++) {
        decays(x->step + t, 0, rate, 1, a, careful);
        EACH c[i].decay[t] = a[i];
        EACH c[i].h[t + 1] = h[i] = a[i] * h[i] + x->inflow[t] * B[i * TILE + t];
    }
}

INLINE void replay_one(const tile *x, course *c, const float *B, const vec *rate, int careful)
{
    vec h = c->h[0];
    for (int t = 0; t < TILE; t += GROUP) {
        vec a[GROUP];
        decays(x->step + t, 1, rate, 0, a, careful);
        EACH c->decay[t + i] = a[i];
        EACH c->h[t + i + 1] = h = a[i] * h + x->inflow[t + i] * B[t + i];
    }
}

/* The second half, for `count` states: from the last step to the first, then sums over lanes. */
INLINE void retreat_some(tile *x, course *c, const float *B, const float *C, float *d_B,
                         float *d_C, vec *ahead, vec *d_rate, const vec *rate, int count)
{
    vec after[GROUP], sum[GROUP];
    for (int i = 0; i < count; i++) after[i] = ahead[i], sum[i] = splat(0.0f);
    for (int t = TILE - 1; t >= 0; t--) {
        vec through_inflow = x->through_inflow[t], through_rate = x->through_rate[t];
        for (int i = 0; i < count; i++) {
            vec through_y = x->grad[t] * C[i * TILE + t], a = c[i].decay[t];
            vec g = after[i] + through_y;
            after[i] = after[i] * a + through_y * a; /* g * a, ready one operation sooner */
            vec exponent = after[i] * c[i].h[t];
            through_inflow += g * B[i * TILE + t];
            through_rate += exponent * rate[i];
            sum[i] += exponent * x->step[t];
            c[i].decay[t] = g * x->inflow[t];
            c[i].h[t + 1] *= x->grad[t];
        }
        x->through_inflow[t] = through_inflow, x->through_rate[t] = through_rate;
    }
    for (int i = 0; i < count; i++) {
        ahead[i] = after[i], d_rate[i] += sum[i];
        for (int t = 0; t < TILE; t += LANES) {
            *(vec_unaligned *)(d_B + i * TILE + t) += lane_sums(c[i].decay + t);
            *(vec_unaligned *)(d_C + i * TILE + t) += lane_sums(c[i].h + t + 1);
        }
    }
}

/* The gradients of all states over one tile. `ahead` is the gradient of the state after the tile
 * on entry, of the state before it on return. B's and C's are added to d_B, d_C. */
INLINE void retreat(tile *x, const float *B, const float *C, float *d_B, float *d_C,
                    const float *saved, vec *ahead, vec *d_rate, const vec *rate, int careful,
                    int states)
{
    course c[GROUP];
    int n = 0;
    for (; n + GROUP <= states; n += GROUP, saved += GROUP * LANES) {
        const float *Bn = B + n * TILE, *Cn = C + n * TILE;
        EACH c[i].h[0] = *(const vec_unaligned *)(saved + i * LANES);
        replay_group(x, c, Bn, rate + n, careful);
        for (int i = 0; i < GROUP; i += BACK)
            retreat_some(x, c + i, Bn + i * TILE, Cn + i * TILE, d_B + (n + i) * TILE,
                         d_C + (n + i) * TILE, ahead + n + i, d_rate + n + i, rate + n + i, BACK);
    }
    for (; n < states; n++, saved += LANES) {
        const float *Bn = B + n * TILE, *Cn = C + n * TILE;
        c->h[0] = *(const vec_unaligned *)saved;
        replay_one(x, c, Bn, rate + n, careful);
        retreat_some(x, c, Bn, Cn, d_B + n * TILE, d_C + n * TILE, ahead + n, d_rate + n,
                     rate + n, 1);
    }
}

INLINE void backward_tile(const problem *p, block *b, int k, const float *B, const float *C,
                          float *d_B, float *d_C, int softplus_on)
{
    tile x;
    int left = p->length - k * TILE, steps = left < TILE ? left : TILE;
    size_t at = b->rows + (size_t)k * TILE;
    const float *saved = b->saved + (size_t)k * p->states * LANES;
    vec d_skip = {0}, d_bias = {0}; /* short sums first: they lose less to rounding */
    for (int n = 0; n < p->states * LANES; n += 16) __builtin_prefetch(saved - n - 16);
    read_tile(x.u, p->u + at, p->length, b->live, steps, -TILE);
    read_tile(x.step, p->delta + at, p->length, b->live, steps, -TILE);
    read_tile(x.grad, p->grad + at, p->length, b->live, steps, -TILE);
    for (int t = 0; t < TILE; t += GROUP) {
        EACH x.step[t + i] += b->bias;
        if (softplus_on) softplus(x.step + t, x.slope + t);
        EACH {
            x.inflow[t + i] = x.step[t + i] * x.u[t + i];
            x.through_inflow[t + i] = x.through_rate[t + i] = splat(0.0f);
            d_skip += x.grad[t + i] * x.u[t + i];
        }
    }
    if (has_long_steps(x.step, b->limit))
        retreat(&x, B, C, d_B, d_C, saved, b->state, b->d_rate, b->rate, 1, p->states);
    else
        retreat(&x, B, C, d_B, d_C, saved, b->state, b->d_rate, b->rate, 0, p->states);
    for (int t = 0; t < TILE; t++) {
        vec d_step = x.through_rate[t] * LN_2 + x.through_inflow[t] * x.u[t];
        x.u[t] = x.through_inflow[t] * x.step[t] + b->skip * x.grad[t];
        x.step[t] = softplus_on ? d_step * x.slope[t] : d_step;
    }
    for (int t = 0; t < steps; t++) d_bias += x.step[t];
    b->d_skip += d_skip, b->d_bias += d_bias;
    write_tile(x.u, p->d_u + at, p->length, b->live, steps, -TILE);
    write_tile(x.step, p->d_delta + at, p->length, b->live, steps, -TILE);
}

/* Floats of scratch that one thread needs: B and C of a chunk, their gradients, the blocks. */
static size_t scratch_of(const problem *p)
{
    size_t packed = 4 * (size_t)chunk_of(p) * p->states * TILE;
    size_t carried = blocks_of(p) * (sizeof(block) / 4 + 3 * (size_t)p->states * LANES);
    return (packed + carried + 15) / 16 * 16;
}

size_t ablate_scan_scratch(const problem *p) { return scratch_of(p); }
int ablate_scan_lanes(void) { return LANES; }
int ablate_scan_tile(void) { return TILE; }
int ablate_scan_sizeof(void) { return (int)sizeof(problem); }

/* All blocks of a slice through one chunk of time, forward. B and C start at its item and group. */
static void forward_chunk(const problem *p, block *blocks, int count, const float *B,
                          const float *C, float *packed, int first, int tiles)
{
    size_t row = (size_t)p->states * TILE;
    float *Bk = packed, *Ck = packed + tiles * row;
    pack(B, Bk, p->states, p->length, first * TILE, tiles);
    pack(C, Ck, p->states, p->length, first * TILE, tiles);
    for (block *b = blocks; b < blocks + count; b++)
        for (int k = 0; k < tiles; k++)
            if (p->softplus)
                forward_tile(p, b, first + k, Bk + k * row, Ck + k * row, 1);
            else
                forward_tile(p, b, first + k, Bk + k * row, Ck + k * row, 0);
}

/* And backward. */
static void backward_chunk(const problem *p, block *blocks, int count, const float *B,
                           const float *C, float *d_B, float *d_C, float *packed, int first,
                           int tiles)
{
    size_t row = (size_t)p->states * TILE, all = tiles * row;
    float *Bk = packed, *Ck = Bk + all, *d_Bk = Ck + all, *d_Ck = d_Bk + all;
    pack(B, Bk, p->states, p->length, first * TILE, tiles);
    pack(C, Ck, p->states, p->length, first * TILE, tiles);
    memset(d_Bk, 0, 2 * all * sizeof(float));
    for (block *b = blocks; b < blocks + count; b++)
        for (int k = tiles - 1; k >= 0; k--) {
            size_t at = k * row;
            if (p->softplus)
                backward_tile(p, b, first + k, Bk + at, Ck + at, d_Bk + at, d_Ck + at, 1);
            else
                backward_tile(p, b, first + k, Bk + at, Ck + at, d_Bk + at, d_Ck + at, 0);
        }
    unpack(d_Bk, d_B, p->states, p->length, first * TILE, tiles);
    unpack(d_Ck, d_C, p->states, p->length, first * TILE, tiles);
}

static void run_task(const problem *p, int task, float *scratch)
{
    int slice = task % p->slices, group = task / p->slices % p->groups;
    int item = task / p->slices / p->groups;
    int from = blocks_of(p) * slice / p->slices, to = blocks_of(p) * (slice + 1) / p->slices;
    size_t size = (size_t)p->states * p->length, place = ((size_t)item * p->groups + group) * size;
    size_t summed = place + (size_t)slice * p->batch * p->groups * size;
    block *blocks = (block *)scratch;
    vec *carried = (vec *)(blocks + blocks_of(p));
    float *packed = (float *)(carried + 3 * (size_t)p->states * blocks_of(p));
    for (int i = from; i < to; i++)
        open_block(p, blocks + i - from, item, group, i, carried + 3 * (i - from) * p->states);
    int chunk = chunk_of(p), chunks = (tiles_of(p) + chunk - 1) / chunk;
    for (int c = 0; c < chunks; c++) {
        int first = (p->grad ? chunks - 1 - c : c) * chunk;
        int tiles = tiles_of(p) - first < chunk ? tiles_of(p) - first : chunk;
        if (p->grad)
            backward_chunk(p, blocks, to - from, p->B + place, p->C + place, p->d_B + summed,
                           p->d_C + summed, packed, first, tiles);
        else
            forward_chunk(p, blocks, to - from, p->B + place, p->C + place, packed, first, tiles);
    }
    for (int i = 0; i < to - from && p->grad; i++) close_block(p, blocks + i, item);
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
