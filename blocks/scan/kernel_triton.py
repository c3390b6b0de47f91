"""The selective scan on a GPU, forward and backward, in Triton.

Read by Triton, not by Python: imported only where Triton is installed. Nothing here has been
timed; what is said of speed was counted in the code that Triton compiles for sm_90.

A warp holds LANES channels of one group and walks a chunk of time step by step, four steps to a
load; the states of a channel are rows of its tile, so that a step is the recurrence itself and
the exponentials most of its work. An associative scan over time in its place takes about twice
the issue slots, for its shuffles and its products of decays. Chunks run at the same time, since
images give few channels and long sequences; hence three phases:

1. `chunk_ends`: every chunk from a state of zero gives its end, and the sum of its steps, of
   which its total decay is the exponential.
2. `carry`: along the chunks, the states that they really start from.
3. `forward_chunks`: every chunk from its real start gives the output, and for the backward pass
   the state before every BLOCK steps.

The backward pass has the same phases from the end of time, 1 and 2 for the gradient of the state,
then `backward_chunks`, which computes the states within a block again. Sums over the channels of
a warp are made here, sums over warps and chunks by the caller in a fixed order, nothing by atomic
additions: the same call gives the same bits.

Arrays are dense float32. B batch items, G groups of E channels, N states, K chunks of T steps:
delta, y (B, G, E, L); u the same, or (B, E, L) for all groups alike; B, C (B, G, N, L); rates
(G, N, E) are A / ln 2; bias, skip (G, E); ends, starts (B, K, G, N, E); sums (B, K, G, E); states
(B, blocks, G, N, E). With PATHS a group is a path through the pixels of an image: all that has an
axis L is in raster order, and table (G, L) says which pixel is visited at each step.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)
LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def softplus(x):
    """log(1 + exp(x)), relative error 2e-7, and its derivative."""
    z = tl.exp2(-tl.abs(x) * LOG2_E)
    q = 0.005364823155105114 * z - 0.030065787956118584
    q = q * z + 0.07920452952384949
    q = q * z - 0.13753801584243774
    q = q * z + 0.191536545753479
    q = q * z - 0.24857163429260254
    q = q * z + 0.3332132399082184
    q = q * z - 0.49999648332595825
    q = q * z + 1.0
    slope = tl.where(x < 0, z, 1.0) / (1.0 + z)
    return q * z + tl.where(x < 0, 0.0, x), slope


@triton.jit
def four(x):
    """(X, 4) -> four tensors (X,)."""
    even, odd = tl.split(tl.reshape(x, [x.shape[0], 2, 2]))
    x0, x2 = tl.split(even)
    x1, x3 = tl.split(odd)
    return x0, x1, x2, x3


@triton.jit
def together(x0, x1, x2, x3):
    """Four tensors (X,) -> (X, 4), the way back from `four`."""
    return tl.reshape(tl.join(tl.join(x0, x2), tl.join(x1, x3)), [x0.shape[0], 4])


@triton.jit
def place(k, table, L, PATHS: tl.constexpr):
    """Where steps k lie in memory."""
    if PATHS:
        k = tl.load(table + k, mask=k < L, other=0)
    return k


@triton.jit
def read_step(delta, at, live, bias, SOFTPLUS: tl.constexpr):
    """Steps (LANES, 4), zero where there are none, and their derivative by delta."""
    raw = tl.load(delta + at, mask=live, other=0.0) + bias[:, None]
    if SOFTPLUS:
        step, slope = softplus(raw)
    else:
        step = raw
        slope = tl.full([raw.shape[0], 4], 1.0, tl.float32)
    return tl.where(live, step, 0.0), slope


@triton.jit
def advance(h, step, u, inward, rate):
    """The state (N, LANES) one step later; step, u (LANES,), inward (N,)."""
    return tl.exp2(rate * step[None, :]) * h + inward[:, None] * (step * u)[None, :]


@triton.jit
def retreat(q, step, grad, outward, rate):
    """The gradient of the state before a step, given that of the state after it."""
    return tl.exp2(rate * step[None, :]) * (q + outward[:, None] * grad[None, :])


@triton.jit
def task(E, LANES: tl.constexpr):
    """What this warp works on: chunk, batch item, group, first channel; 64 bits for offsets."""
    slices = tl.cdiv(E, LANES)
    group = (tl.program_id(1) // slices).to(tl.int64)
    first = ((tl.program_id(1) % slices) * LANES).to(tl.int64)
    return tl.program_id(0), tl.program_id(2).to(tl.int64), group, first


@triton.jit
def chunk_ends(
    x, delta, matrix, bias, rates, table, ends, sums,
    x_batch, x_group, G, E, L, T,
    N: tl.constexpr, NP: tl.constexpr, LANES: tl.constexpr,
    SOFTPLUS: tl.constexpr, BACKWARD: tl.constexpr, PATHS: tl.constexpr,
):  # fmt: skip
    """Phase 1. Forward: x is u and matrix is B; backward: x is the gradient and matrix is C."""
    c, b, g, e0 = task(E, LANES)
    n = tl.arange(0, NP)
    lane = tl.arange(0, LANES)
    there = e0 + lane < E
    exists = (n < N)[:, None] & there[None, :]
    tile = n[:, None] * E + e0 + lane[None, :]
    rate = tl.load(rates + g * N * E + tile, mask=exists, other=0.0)
    shift = tl.load(bias + g * E + e0 + lane, mask=there, other=0.0)
    table += g * L
    x += b * x_batch + g * x_group + e0 * L
    delta += ((b * G + g) * E + e0) * L
    matrix += (b * G + g) * N * L
    h = tl.zeros([NP, LANES], tl.float32)
    total = tl.zeros([LANES], tl.float32)
    done = 0
    while done < T:
        if BACKWARD:
            first = T - 4 - done
        else:
            first = done
        k = c * T + first + tl.arange(0, 4)
        t = place(k, table, L, PATHS)
        live = there[:, None] & (k < L)[None, :]
        real = (n < N)[:, None] & (k < L)[None, :]
        at = lane[:, None] * L + t[None, :]
        step, slope = read_step(delta, at, live, shift, SOFTPLUS)
        total += tl.sum(step, 1)
        s0, s1, s2, s3 = four(step)
        x0, x1, x2, x3 = four(tl.load(x + at, mask=live, other=0.0))
        m = tl.load(matrix + n[:, None] * L + t[None, :], mask=real, other=0.0)
        m0, m1, m2, m3 = four(m)
        if BACKWARD:
            h = retreat(h, s3, x3, m3, rate)
            h = retreat(h, s2, x2, m2, rate)
            h = retreat(h, s1, x1, m1, rate)
            h = retreat(h, s0, x0, m0, rate)
        else:
            h = advance(h, s0, x0, m0, rate)
            h = advance(h, s1, x1, m1, rate)
            h = advance(h, s2, x2, m2, rate)
            h = advance(h, s3, x3, m3, rate)
        done += 4
    row = (b * tl.num_programs(0) + c) * G + g
    tl.store(ends + row * N * E + tile, h, mask=exists)
    tl.store(sums + row * E + e0 + lane, total, mask=there)


@triton.jit
def compose(a1, b1, a2, b2):
    """First x -> a1 x + b1, then x -> a2 x + b2."""
    return a1 * a2, b1 * a2 + b2


@triton.jit
def carry(
    ends, sums, rates, starts, G, E, K,
    N: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BACKWARD: tl.constexpr,
):  # fmt: skip
    """Phase 2: from the ends of chunks on their own, the states that chunks start from."""
    g = tl.program_id(1).to(tl.int64)
    b = tl.program_id(2).to(tl.int64)
    i = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    there = i < N * E
    rate = tl.load(rates + g * N * E + i, mask=there, other=0.0)
    state = tl.zeros([COLUMNS], tl.float32)
    r = tl.arange(0, ROWS)
    first = 0
    while first < K:
        order = first + r
        if BACKWARD:
            chunk = K - 1 - order
            after = chunk - 1
        else:
            chunk = order
            after = chunk + 1
        live = (order < K)[:, None] & there[None, :]
        row = (b * K + chunk) * G + g
        total = tl.load(sums + row[:, None] * E + (i % E)[None, :], mask=live, other=0.0)
        end = tl.load(ends + row[:, None] * (N * E) + i[None, :], mask=live, other=0.0)
        a, h = tl.associative_scan((tl.exp2(rate[None, :] * total), end), 0, compose)
        h += a * state[None, :]
        target = ((b * K + after) * G + g)[:, None] * (N * E) + i[None, :]
        tl.store(starts + target, h, mask=live & (order < K - 1)[:, None])
        state = tl.sum(tl.where(r[:, None] == ROWS - 1, h, 0.0), 0)
        first += ROWS
    if BACKWARD:
        edge = K - 1
    else:
        edge = 0
    zero = tl.zeros([COLUMNS], tl.float32)
    tl.store(starts + ((b * K + edge) * G + g) * (N * E) + i, zero, mask=there)


@triton.jit
def forward_chunks(
    u, delta, inward, outward, bias, skip, rates, table, starts, y, states,
    u_batch, u_group, G, E, L, T, blocks,
    N: tl.constexpr, NP: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr,
    SOFTPLUS: tl.constexpr, SAVE: tl.constexpr, PATHS: tl.constexpr,
):  # fmt: skip
    """Phase 3 of the forward pass."""
    c, b, g, e0 = task(E, LANES)
    n = tl.arange(0, NP)
    lane = tl.arange(0, LANES)
    there = e0 + lane < E
    exists = (n < N)[:, None] & there[None, :]
    tile = n[:, None] * E + e0 + lane[None, :]
    rate = tl.load(rates + g * N * E + tile, mask=exists, other=0.0)
    shift = tl.load(bias + g * E + e0 + lane, mask=there, other=0.0)
    through = tl.load(skip + g * E + e0 + lane, mask=there, other=0.0)
    start = (b * tl.num_programs(0) + c) * G + g
    h = tl.load(starts + start * N * E + tile, mask=exists, other=0.0)
    table += g * L
    u += b * u_batch + g * u_group + e0 * L
    delta += ((b * G + g) * E + e0) * L
    y += ((b * G + g) * E + e0) * L
    inward += (b * G + g) * N * L
    outward += (b * G + g) * N * L
    first = 0
    while first < T:
        if SAVE:
            block = (c * T + first) // BLOCK
            if (first % BLOCK == 0) & (block < blocks):
                saved = (b * blocks + block) * G + g
                tl.store(states + saved * N * E + tile, h, mask=exists)
        k = c * T + first + tl.arange(0, 4)
        t = place(k, table, L, PATHS)
        live = there[:, None] & (k < L)[None, :]
        real = (n < N)[:, None] & (k < L)[None, :]
        at = lane[:, None] * L + t[None, :]
        at_n = n[:, None] * L + t[None, :]
        step, slope = read_step(delta, at, live, shift, SOFTPLUS)
        whole = tl.load(u + at, mask=live, other=0.0)
        s0, s1, s2, s3 = four(step)
        u0, u1, u2, u3 = four(whole)
        b0, b1, b2, b3 = four(tl.load(inward + at_n, mask=real, other=0.0))
        c0, c1, c2, c3 = four(tl.load(outward + at_n, mask=real, other=0.0))
        h = advance(h, s0, u0, b0, rate)
        y0 = tl.sum(h * c0[:, None], 0)
        h = advance(h, s1, u1, b1, rate)
        y1 = tl.sum(h * c1[:, None], 0)
        h = advance(h, s2, u2, b2, rate)
        y2 = tl.sum(h * c2[:, None], 0)
        h = advance(h, s3, u3, b3, rate)
        y3 = tl.sum(h * c3[:, None], 0)
        tl.store(y + at, together(y0, y1, y2, y3) + through[:, None] * whole, mask=live)
        first += 4


@triton.jit
def four_later(
    h, u, delta, inward, table, there, n, lane, first, L, shift, rate,
    N: tl.constexpr, SOFTPLUS: tl.constexpr, PATHS: tl.constexpr,
):  # fmt: skip
    """The state after the four steps from `first`."""
    k = first + tl.arange(0, 4)
    t = place(k, table, L, PATHS)
    live = there[:, None] & (k < L)[None, :]
    real = (n < N)[:, None] & (k < L)[None, :]
    at = lane[:, None] * L + t[None, :]
    step, slope = read_step(delta, at, live, shift, SOFTPLUS)
    s0, s1, s2, s3 = four(step)
    u0, u1, u2, u3 = four(tl.load(u + at, mask=live, other=0.0))
    m = tl.load(inward + n[:, None] * L + t[None, :], mask=real, other=0.0)
    b0, b1, b2, b3 = four(m)
    h = advance(h, s0, u0, b0, rate)
    h = advance(h, s1, u1, b1, rate)
    h = advance(h, s2, u2, b2, rate)
    return advance(h, s3, u3, b3, rate)


@triton.jit
def step_back(h, q, d_rate, step, u, grad, inward, outward, rate):
    """One step of the backward pass.

    h: the state before the step; q: the gradient of the state after it, through later steps.
    Returns q and d_rate as they are before the step, and the gradients of this step: of u through
    the state, of the step, of B and of C.
    """
    decay = tl.exp2(rate * step[None, :])
    inflow = step * u
    g = q + outward[:, None] * grad[None, :]
    q = decay * g
    exponent = q * h
    d_rate += exponent * step[None, :]
    through = tl.sum(g * inward[:, None], 0)
    d_step = tl.sum(exponent * rate, 0) * LN_2 + through * u
    d_inward = tl.sum(g * inflow[None, :], 1)
    later = decay * h + inward[:, None] * inflow[None, :]
    d_outward = tl.sum(later * grad[None, :], 1)
    return q, d_rate, through * step, d_step, d_inward, d_outward


@triton.jit
def four_back(
    h, q, d_rate, d_shift, d_through,
    u, delta, grad, inward, outward, table, d_u, d_delta, d_inward, d_outward,
    there, n, lane, first, L, shift, through, rate,
    N: tl.constexpr, SOFTPLUS: tl.constexpr, PATHS: tl.constexpr,
):  # fmt: skip
    """The backward pass through the four steps from `first`; h is the state before them."""
    k = first + tl.arange(0, 4)
    t = place(k, table, L, PATHS)
    live = there[:, None] & (k < L)[None, :]
    real = (n < N)[:, None] & (k < L)[None, :]
    at = lane[:, None] * L + t[None, :]
    at_n = n[:, None] * L + t[None, :]
    step, slope = read_step(delta, at, live, shift, SOFTPLUS)
    whole_u = tl.load(u + at, mask=live, other=0.0)
    whole_grad = tl.load(grad + at, mask=live, other=0.0)
    s0, s1, s2, s3 = four(step)
    u0, u1, u2, u3 = four(whole_u)
    g0, g1, g2, g3 = four(whole_grad)
    b0, b1, b2, b3 = four(tl.load(inward + at_n, mask=real, other=0.0))
    c0, c1, c2, c3 = four(tl.load(outward + at_n, mask=real, other=0.0))
    h1 = advance(h, s0, u0, b0, rate)
    h2 = advance(h1, s1, u1, b1, rate)
    h3 = advance(h2, s2, u2, b2, rate)
    q, d_rate, du3, ds3, db3, dc3 = step_back(h3, q, d_rate, s3, u3, g3, b3, c3, rate)
    q, d_rate, du2, ds2, db2, dc2 = step_back(h2, q, d_rate, s2, u2, g2, b2, c2, rate)
    q, d_rate, du1, ds1, db1, dc1 = step_back(h1, q, d_rate, s1, u1, g1, b1, c1, rate)
    q, d_rate, du0, ds0, db0, dc0 = step_back(h, q, d_rate, s0, u0, g0, b0, c0, rate)
    d_raw = together(ds0, ds1, ds2, ds3) * slope
    d_input = together(du0, du1, du2, du3) + through[:, None] * whole_grad
    tl.store(d_delta + at, d_raw, mask=live)
    tl.store(d_u + at, d_input, mask=live)
    tl.store(d_inward + at_n, together(db0, db1, db2, db3), mask=real)
    tl.store(d_outward + at_n, together(dc0, dc1, dc2, dc3), mask=real)
    d_shift += tl.sum(tl.where(live, d_raw, 0.0), 1)
    d_through += tl.sum(whole_grad * whole_u, 1)
    return q, d_rate, d_shift, d_through


@triton.jit
def backward_chunks(
    u, delta, grad, inward, outward, bias, skip, rates, table, starts, states,
    d_u, d_delta, d_inward, d_outward, d_rates, d_bias, d_skip,
    u_batch, u_group, G, E, L, T, blocks,
    N: tl.constexpr, NP: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr,
    SOFTPLUS: tl.constexpr, PATHS: tl.constexpr,
):  # fmt: skip
    """Phase 3 of the backward pass; a start is the gradient of the state at a chunk's end.

    d_inward, d_outward (slices, B, G, N, L) are sums over this warp's channels alone; d_rates
    (B, K, G, N, E), d_bias, d_skip (B, K, G, E) are sums over this chunk; d_u (B, G, E, L).
    """
    c, b, g, e0 = task(E, LANES)
    n = tl.arange(0, NP)
    lane = tl.arange(0, LANES)
    there = e0 + lane < E
    exists = (n < N)[:, None] & there[None, :]
    tile = n[:, None] * E + e0 + lane[None, :]
    rate = tl.load(rates + g * N * E + tile, mask=exists, other=0.0)
    shift = tl.load(bias + g * E + e0 + lane, mask=there, other=0.0)
    through = tl.load(skip + g * E + e0 + lane, mask=there, other=0.0)
    chunk = (b * tl.num_programs(0) + c) * G + g
    q = tl.load(starts + chunk * N * E + tile, mask=exists, other=0.0)
    table += g * L
    u += b * u_batch + g * u_group + e0 * L
    row = b * G + g
    delta += (row * E + e0) * L
    grad += (row * E + e0) * L
    d_u += (row * E + e0) * L
    d_delta += (row * E + e0) * L
    inward += row * N * L
    outward += row * N * L
    part = (e0 // LANES) * tl.num_programs(2) * G + row
    d_inward += part * N * L
    d_outward += part * N * L
    d_rate = tl.zeros([NP, LANES], tl.float32)
    d_shift = tl.zeros([LANES], tl.float32)
    d_through = tl.zeros([LANES], tl.float32)
    done = 0
    while done < T:
        first = c * T + T - BLOCK - done
        block = tl.minimum(first // BLOCK, blocks - 1)  # past the end, any: nothing comes of it
        saved = ((b * blocks + block) * G + g) * N * E
        h0 = tl.load(states + saved + tile, mask=exists, other=0.0)
        for after in range(0, BLOCK, 4):
            last = first + BLOCK - 4 - after
            h = h0
            for before in range(0, BLOCK - 4 - after, 4):
                h = four_later(
                    h, u, delta, inward, table, there, n, lane, first + before, L, shift, rate,
                    N, SOFTPLUS, PATHS,
                )  # fmt: skip
            q, d_rate, d_shift, d_through = four_back(
                h, q, d_rate, d_shift, d_through,
                u, delta, grad, inward, outward, table, d_u, d_delta, d_inward, d_outward,
                there, n, lane, last, L, shift, through, rate, N, SOFTPLUS, PATHS,
            )  # fmt: skip
        done += BLOCK
    tl.store(d_rates + chunk * N * E + tile, d_rate, mask=exists)
    tl.store(d_bias + chunk * E + e0 + lane, d_shift, mask=there)
    tl.store(d_skip + chunk * E + e0 + lane, d_through, mask=there)
