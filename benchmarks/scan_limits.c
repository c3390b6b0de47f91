/* What this processor can do at best, in the kernel's own terms: exponentials and memory. */
#include "../blocks/scan/kernel.c"

/* 2^x of `count` floats in the first cache, a multiple of 8 * LANES, `repeats` times. */
float exponentials(const float *x, int count, int repeats)
{
    vec sum[8] = {{0}};
    for (int r = 0; r < repeats; r++)
        for (int i = 0; i < count; i += 8 * LANES)
            for (int j = 0; j < 8; j++)
                sum[j] += power_of_two(*(const vec *)(x + i + j * LANES), splat(1.0f));
    float total = 0;
    for (int j = 0; j < 8; j++)
        for (int r = 0; r < LANES; r++) total += sum[j][r];
    return total;
}

/* a = b + s c, past all caches: 12 bytes an element. */
void triad(float *a, const float *b, const float *c, float s, int count)
{
    for (int i = 0; i < count; i++) a[i] = b[i] + s * c[i];
}
