"""Slow, obvious re-implementations from the papers' equations: loops over single numbers, numpy only, no TensorFlow.

A network here is a list of layers: ("conv", w, b), ("depthwise", w, b), ("dense", w, b), ("relu",),
("max",), ("average",), ("gap",), ("flatten",), each working on one picture. Convolutions pad with
zeros to the same size, and poolings are 2 x 2. Convolutions and dense layers are written out as one
matrix each, entry by entry, after which every rule is the equation on z_jk = a_j w_jk.
"""

import numpy as np

EPS = 1e-6


def conv_matrix(w, shape):
    """Write a same-padded convolution as a matrix (inputs, outputs), one multiplication at a time."""
    height, width, channels = shape
    rows, cols, _, filters = w.shape
    out = np.zeros((height, width, channels, height, width, filters))
    for y in range(height):
        for x in range(width):
            for dy in range(rows):
                for dx in range(cols):
                    yy, xx = y + dy - (rows - 1) // 2, x + dx - (cols - 1) // 2
                    if 0 <= yy < height and 0 <= xx < width:
                        for c in range(channels):
                            for f in range(filters):
                                out[yy, xx, c, y, x, f] += w[dy, dx, c, f]
    return out.reshape(height * width * channels, height * width * filters)


def depthwise_as_conv(w):
    """Write a depthwise kernel (rows, columns, channels, times) as an ordinary one."""
    rows, cols, channels, times = w.shape
    out = np.zeros((rows, cols, channels, channels * times))
    for c in range(channels):
        for m in range(times):
            out[:, :, c, c * times + m] = w[:, :, c, m]
    return out


def layer_matrix(layer, shape):
    """Return matrix, bias per output and output shape of a linear layer."""
    kind, w, b = layer
    if kind == "dense":
        return w, np.array(b, float), (w.shape[1],)
    w = depthwise_as_conv(w) if kind == "depthwise" else w
    matrix = conv_matrix(w, shape)
    return matrix, np.tile(b, shape[0] * shape[1]), (*shape[:2], w.shape[3])


def windows(shape):
    """Yield for each 2 x 2 window its output index and its input indices, in row-major order."""
    for y in range(shape[0] // 2):
        for x in range(shape[1] // 2):
            for c in range(shape[2]):
                yield (y, x, c), [(2 * y + dy, 2 * x + dx, c) for dy in range(2) for dx in range(2)]


def forward(layers, image):
    """Return the values before each layer and the output."""
    values = [np.array(image, float)]
    for layer in layers:
        a = values[-1]
        if layer[0] in ("conv", "depthwise", "dense"):
            matrix, b, shape = layer_matrix(layer, a.shape)
            out = np.array([sum(a.ravel() * matrix[:, k]) + b[k] for k in range(matrix.shape[1])]).reshape(shape)
        elif layer[0] == "relu":
            out = np.where(a > 0, a, 0.0)
        elif layer[0] == "flatten":
            out = a.ravel()
        elif layer[0] == "gap":
            out = np.array([a[:, :, c].mean() for c in range(a.shape[2])])
        else:
            out = np.zeros((a.shape[0] // 2, a.shape[1] // 2, a.shape[2]))
            for place, members in windows(a.shape):
                inside = [a[m] for m in members]
                out[place] = max(inside) if layer[0] == "max" else sum(inside) / 4
        values.append(out)
    return values


def weights_of(name, a, w, b, low, high, z):
    """Return each rule's shares (inputs, outputs): R_j = sum_k share_jk R_k; z is the true output."""
    j, k = w.shape
    share = np.zeros((j, k))
    for o in range(k):
        up = [max(a[i] * w[i, o], 0) for i in range(j)]
        down = [min(a[i] * w[i, o], 0) for i in range(j)]
        if name == "epsilon":
            top, total = [a[i] * w[i, o] for i in range(j)], sum(a * w[:, o]) + b[o]
        elif name == "z_plus":
            top, total = up, sum(up) + max(b[o], 0)
        elif name == "alpha2_beta1":
            first, second = stabilised(sum(up) + max(b[o], 0)), stabilised(sum(down) + min(b[o], 0))
            share[:, o] = [2 * up[i] / first - down[i] / second for i in range(j)]
            continue
        elif name == "gamma":
            if z[o] == 0:
                continue
            favoured = up if z[o] > 0 else down
            top = [a[i] * w[i, o] + 0.25 * favoured[i] for i in range(j)]
            bias = max(b[o], 0) if z[o] > 0 else min(b[o], 0)
            total = sum(top) + b[o] + 0.25 * bias
        elif name == "w_square":
            top, total = [w[i, o] ** 2 for i in range(j)], sum(w[:, o] ** 2) + b[o] ** 2
        elif name == "z_box":
            top = [a[i] * w[i, o] - low * max(w[i, o], 0) - high * min(w[i, o], 0) for i in range(j)]
            total = sum(top)
        else:
            raise KeyError(name)
        share[:, o] = np.array(top) / stabilised(total)
    return share


def stabilised(value):
    """Move a denominator away from zero, upwards when it is zero."""
    return value + (EPS if value >= 0 else -EPS)


def lrp(layers, image, target, rule_of, low=0.0, high=1.0):
    """Propagate relevance; rule_of(layer number, kind) names the rule. The flat rule counts existing weights only."""
    values = forward(layers, image)
    relevance = np.zeros_like(values[-1])
    relevance[target] = values[-1][target]
    for number in range(len(layers) - 1, -1, -1):
        layer, a = layers[number], values[number]
        if layer[0] in ("conv", "depthwise", "dense"):
            matrix, b, _ = layer_matrix(layer, a.shape)
            name = rule_of(number, layer[0])
            if name == "flat":
                ones = (layer[0], np.ones_like(layer[1]), np.zeros_like(layer[2]))
                reach, _, _ = layer_matrix(ones, a.shape)
                share = np.array([[reach[i, o] / stabilised(sum(reach[:, o])) for o in range(reach.shape[1])]
                                  for i in range(reach.shape[0])])  # fmt: skip
            else:
                share = weights_of(name, a.ravel(), matrix, b, low, high, values[number + 1].ravel())
            relevance = (share @ relevance.ravel()).reshape(a.shape)
        elif layer[0] == "flatten":
            relevance = relevance.reshape(a.shape)
        elif layer[0] in ("max", "average"):
            before = np.zeros(a.shape)
            for place, members in windows(a.shape):
                inside = [a[m] for m in members]
                if layer[0] == "max":
                    before[members[int(np.argmax(inside))]] += relevance[place]
                else:
                    for m in members:
                        before[m] += a[m] / 4 / stabilised(sum(inside) / 4) * relevance[place]
            relevance = before
        elif layer[0] == "gap":
            before = np.zeros(a.shape)
            size = a.shape[0] * a.shape[1]
            for c in range(a.shape[2]):
                before[:, :, c] = a[:, :, c] / size / stabilised(a[:, :, c].mean()) * relevance[c]
            relevance = before
    return relevance


def gradient(layers, image, target, relu="plain"):
    """Chain rule, layer by layer; relu is plain, deconvolution or guided."""
    values = forward(layers, image)
    signal = np.zeros_like(values[-1])
    signal[target] = 1.0
    for number in range(len(layers) - 1, -1, -1):
        layer, a = layers[number], values[number]
        if layer[0] in ("conv", "depthwise", "dense"):
            signal = (layer_matrix(layer, a.shape)[0] @ signal.ravel()).reshape(a.shape)
        elif layer[0] == "relu":
            up = signal if relu == "plain" else np.maximum(signal, 0)
            signal = up if relu == "deconvolution" else up * (a > 0)
        elif layer[0] == "flatten":
            signal = signal.reshape(a.shape)
        elif layer[0] == "gap":
            signal = np.ones(a.shape) * signal / (a.shape[0] * a.shape[1])
        else:
            before = np.zeros(a.shape)
            for place, members in windows(a.shape):
                if layer[0] == "max":
                    before[members[int(np.argmax([a[m] for m in members]))]] += signal[place]
                else:
                    for m in members:
                        before[m] += signal[place] / 4
            signal = before
    return signal


def deeplift(layers, image, target, reference):
    """Rescale rule by equations 3 and 10 of the paper; max-pooling hands the change to where it came from."""
    values, others = forward(layers, image), forward(layers, reference)
    m = np.zeros_like(values[-1])
    m[target] = 1.0
    for number in range(len(layers) - 1, -1, -1):
        layer, a, a0 = layers[number], values[number], others[number]
        if layer[0] in ("conv", "depthwise", "dense"):
            m = (layer_matrix(layer, a.shape)[0] @ m.ravel()).reshape(a.shape)
        elif layer[0] == "relu":
            out = np.zeros_like(a)
            for i in np.ndindex(a.shape):
                change = a[i] - a0[i]
                rate = (max(a[i], 0) - max(a0[i], 0)) / change if abs(change) > 1e-10 else float(a[i] > 0)
                out[i] = m[i] * rate
            m = out
        elif layer[0] == "flatten":
            m = m.reshape(a.shape)
        elif layer[0] == "gap":
            m = np.ones(a.shape) * m / (a.shape[0] * a.shape[1])
        else:
            before = np.zeros(a.shape)
            for place, members in windows(a.shape):
                if layer[0] == "average":
                    for i in members:
                        before[i] += m[place] / 4
                    continue
                here, there = [a[i] for i in members], [a0[i] for i in members]
                change = max(here) - max(there)
                source = members[int(np.argmax(here if change > 0 else there))]
                if abs(a[source] - a0[source]) > 1e-10:
                    before[source] += m[place] * change / (a[source] - a0[source])
                else:
                    before[members[int(np.argmax(here))]] += m[place]
            m = before
    return m * (np.array(image, float) - reference)


def occlusion(layers, image, target, size, stride, reference=0.0):
    """Hide every window in turn, add its fall to each pixel it covers, and divide by the number of windows there."""
    height, width, channels = image.shape
    whole = forward(layers, image)[-1][target]
    total, count = np.zeros((height, width)), np.zeros((height, width))
    y_starts = [k * stride for k in range(-(-(height - size) // stride) + 1)]
    x_starts = [k * stride for k in range(-(-(width - size) // stride) + 1)]
    for y in y_starts:
        for x in x_starts:
            hidden = image.copy()
            hidden[y : y + size, x : x + size] = reference
            total[y : y + size, x : x + size] += whole - forward(layers, hidden)[-1][target]
            count[y : y + size, x : x + size] += 1
    mean = np.array(
        [[t / c if c else 0.0 for t, c in zip(*rows, strict=True)] for rows in zip(total, count, strict=True)]
    )
    return np.stack([mean] * channels, -1)
