"""DeepFool and SparseFool one image at a time, loops and all: what the batched ways are held against."""

import torch


def logits_of(network, image):
    return network(image[None])[0]


def gradients(network, point, classes):
    """Return logits, and the gradient of each of `classes`."""
    point = point.clone().requires_grad_()
    logits = logits_of(network, point)
    found = [torch.autograd.grad(logits[k], point, retain_graph=True)[0] for k in classes]
    return logits.detach(), found


def deepfool(network, image, *, classes=10, steps=50, overshoot=0.02, least=1e-4, target=None, project=lambda w: w):
    """Return r, and how many steps it took."""
    with torch.no_grad():
        first = logits_of(network, image)
    own, r, taken = int(first.argmax()), torch.zeros_like(image), 0
    candidates = [k for k in first.argsort(descending=True)[:classes].tolist() if k != own]
    while taken < steps:
        with torch.no_grad():
            now = int(logits_of(network, image + (1 + overshoot) * r).argmax())
        if (now != own) if target is None else (now == target):
            break
        rivals, away = (candidates, own) if target is None else ([target], _leader(network, image + r, target))
        logits, (from_gradient, *others) = gradients(network, image + r, [away, *rivals])
        nearest, step = float("inf"), None
        for k, gradient in zip(rivals, others, strict=True):
            normal = project(gradient - from_gradient)
            if normal.norm() > 0 and (distance := ((logits[k] - logits[away]).abs() / normal.norm()).item()) < nearest:
                nearest, step = distance, max(distance, least) * normal / normal.norm()
        if step is None:
            break
        r, taken = r + step, taken + 1
    return r, taken


def _leader(network, point, target):
    with torch.no_grad():
        logits = logits_of(network, point)
    logits[target] = -torch.inf
    return int(logits.argmax())


def linear_solver(point, normal, boundary, low, high, beyond=0.0):
    """Walk the coordinates of a flat point by descending size of the normal's, until the hyperplane is reached."""
    point, normal, boundary, low, high = (tensor.double() for tensor in (point, normal, boundary, low, high))
    point, left = point.clone(), normal.abs()
    while (missing := beyond - torch.dot(normal, point - boundary)) > 1e-9 and left.any():
        d = left.argmax()
        point[d] = (point[d] + missing / normal[d]).clamp(low[d], high[d])
        left[d] = 0
    return point


def sparsefool(network, image, low, high, *, past=3.0, rounds=20, overshoot=0.02, beyond=1e-3):
    """Return the image as it is in the end, and how many rounds it took."""
    with torch.no_grad():
        own = int(logits_of(network, image).argmax())
    point, result = image, image
    for taken in range(rounds):
        with torch.no_grad():
            if int(logits_of(network, result).argmax()) != own:
                return result, taken
        r, _ = deepfool(network, point, overshoot=overshoot)
        with torch.no_grad():
            to = int(logits_of(network, point + (1 + overshoot) * r).argmax())
            current = int(logits_of(network, point).argmax())
        _, (to_gradient, from_gradient) = gradients(network, point + r, (to, current))
        normal = (to_gradient - from_gradient).flatten()
        bounds = low.flatten(), high.flatten()
        moved = linear_solver(point.flatten(), normal / normal.norm(), (point + past * r).flatten(), *bounds, beyond)
        point = moved.to(image.dtype).view_as(image)
        result = torch.minimum(torch.maximum(image + (1 + overshoot) * (point - image), low), high)
    return result, rounds
