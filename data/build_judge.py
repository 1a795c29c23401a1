"""Train the judge's FeatureNet once: name each emoji's group and style, held-out pairs left out.

    python data/build_judge.py            (about five minutes on two cores)

The judge is frozen: running this again gives other weights, and every figure of the course would
have to be measured anew.
"""

import torch
import torch.nn.functional as F

from diffusion_helpers.checkpoints import save_tensors
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA, load_emoji
from diffusion_helpers.device import fast_math
from diffusion_helpers.evaluation import FeatureNet

SEED, STEPS, BATCH = 0, 1500, 96
LEARNING_RATE = 3e-3


def augment(images):
    """Shift by up to two pixels, and a little dust: the judge should not care about either."""
    padded = F.pad(images, (2, 2, 2, 2), value=1.0)
    y, x = torch.randint(5, (2,)).tolist()
    images = padded[..., y : y + 32, x : x + 32]
    return images + 0.1 * torch.rand(len(images), 1, 1, 1) * torch.randn_like(images)


def labels(words):
    kinds = sorted(set(words))
    return torch.tensor([kinds.index(w) for w in words])


def main():
    torch.manual_seed(SEED)
    emoji = load_emoji()
    group, style = labels(emoji.groups), labels(emoji.styles)
    train = (~emoji.held_out).nonzero().flatten()
    test = emoji.held_out.nonzero().flatten()
    net = FeatureNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=0.05)
    decay = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    for step in range(STEPS + 1):
        if step % 250 == 0 or step == STEPS:
            with torch.no_grad():
                features = net(emoji.images[test])
                scores = [
                    (head(features).argmax(1) == truth[test]).float().mean().item()
                    for head, truth in ((net.group, group), (net.style, style))
                ]
            say(
                f"step {step}: held-out pairs, group {scores[0]:.3f}, style {scores[1]:.3f}",
            )
        rows = train[torch.randint(len(train), (BATCH,))]
        images = augment(emoji.images[rows]).contiguous(memory_format=torch.channels_last)
        with fast_math(images):
            features = net(images).float()
        loss = sum(
            F.cross_entropy(head(features), truth[rows], label_smoothing=0.1)
            for head, truth in ((net.group, group), (net.style, style))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step < STEPS:
            decay.step()
    notes = {"seed": SEED, "steps": STEPS, "held_out_group": scores[0], "held_out_style": scores[1]}
    save_tensors(DATA / "checkpoints" / "judge.safetensors", net.state_dict(), notes)


if __name__ == "__main__":
    main()
