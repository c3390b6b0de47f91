/* What this processor can do at best, in the kernel's own terms: exponentials and memory.
 * Compiled behind kernel.c, whose types and exponential it uses. */

/* 2^x of `count` floats in the first cache, a multiple of 2 * GROUP * LANES, `repeats` times. */
float exponentials(const float *x, int count, int repeats)
{
    const vec one = splat(1.0f);
    vec sum[2 * GROUP] = {{0}}, p[GROUP];
    for (int r = 0; r < repeats; r++)
        for (int i = 0; i < count / LANES; i += 2 * GROUP)
            for (int half = 0; half < 2 * GROUP; half += GROUP) {
                powers_of_two((const vec *)x + i + half, 1, &one, 0, p);
                EACH sum[half + i] += p[i];
            }
    float total = 0;
    for (int j = 0; j < 2 * GROUP; j++)
        for (int r = 0; r < LANES; r++) total += sum[j][r];
    return total;
}

/* a = b + s c, past all caches: 12 bytes an element. */
void triad(float *a, const float *b, const float *c, float s, int count)
{
    for (int i = 0; i < count; i++) a[i] = b[i] + s * c[i];
}
