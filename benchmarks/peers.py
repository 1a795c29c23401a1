"""This course and four well-known libraries: each with its own network, recipe and sampler.

    pip install -e . smalldiffusion denoising-diffusion-pytorch k-diffusion "setuptools<82"

(k-diffusion imports clip-anytorch, and that needs pkg_resources, which setuptools 82 left out.)

A contender is a class with a network of about 1 or 3 million weights, a loss, an optimiser and a
sampler. The numbers are those of the library's own example for pictures of 32x32, which is named
in its docstring. Two kinds of numbers are friendlier than in the examples, for all alike: batches
of at most 64 pictures and warm-ups of at most 50 steps, because a budget of ten minutes would end
within them. `borrowed(peer)` is a peer's network under our recipe. benchmarks/fast.py runs them.
"""

import copy
import math
import time
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn

from diffusion_helpers import UNet, cosine_schedule, ddim, device, sample, train
from diffusion_helpers.optim import make_optimizers, optimizer_step
from diffusion_helpers.training import denoising_loss

PART = 100  # pictures drawn at once
CHANNELS_LAST, CONTIGUOUS = torch.channels_last, torch.contiguous_format


class Contender:
    """One way to learn pictures (N, C, 32, 32) in [-1, 1], and to draw new ones."""

    batch = 64
    clip = None  # longest gradient allowed
    layout = CONTIGUOUS  # of the weights in memory: the faster one, by `fast.py training`

    def __init__(self, size="1 M", channels=3, bf16=None, layout=None):
        self.channels, self.shape = channels, (channels, 32, 32)
        self.bf16 = device.bf16_helps(torch.device("cpu")) if bf16 is None else bf16
        self.net = self.network(size).to(memory_format=layout or self.layout)
        self.optim = self.optimizer()

    def autocast(self):
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16)

    def learn(self, x_0):
        """One step of training on these pictures."""
        with self.autocast():
            loss = self.loss(x_0)
        loss.backward()
        if self.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optim.step()
        self.optim.zero_grad()

    def train(self, pictures, cpu_seconds, seed=0):
        """Learn until this process has spent that much CPU time; returns the number of steps."""
        torch.manual_seed(seed)
        mean = copy.deepcopy(self.net).requires_grad_(False)
        highest = [group["lr"] for group in self.optim.param_groups]
        began, step = time.process_time(), 0
        self.net.train()
        while (share := (time.process_time() - began) / cpu_seconds) < 1:
            for group, rate in zip(self.optim.param_groups, highest):
                group["lr"] = rate * self.rate(step, share)
            self.learn(pictures[torch.randint(len(pictures), (self.batch,))])
            step += 1
            with torch.no_grad():
                for average, weight in zip(mean.parameters(), self.net.parameters()):
                    average.lerp_(weight, 1 - self.decay(step))
        self.net.load_state_dict(mean.state_dict())
        self.net.eval()
        return step

    def rate(self, step, share):
        return 1.0

    @torch.no_grad()
    def pictures(self, n, seed=0):
        """New ones, (n, C, 32, 32) in [-1, 1]."""
        torch.manual_seed(seed)
        with self.autocast():
            parts = [self.draw(min(PART, n - i)).float().clamp(-1, 1) for i in range(0, n, PART)]
        return torch.cat(parts)


class Sculptor(Contender):
    """This course: velocity, Muon and AdamW, a rate that decays to zero; 20 steps of DDIM."""

    name = "this course"
    # more steps beat calmer gradients here: after 120 CPU-seconds on emoji the Frechet distance was
    # 8.7 with batches of 16, 8.0 and 9.0 with 32, 10.1 with 64
    batch = 32
    layout = CHANNELS_LAST

    def network(self, size):
        widths = {"1 M": (32, 64, 128), "3 M": (16, 32, 128, 208)}[size]
        return UNet(self.shape, widths=widths, blocks=1)  # weights where there are few pixels

    def optimizer(self):
        self.schedule = cosine_schedule()
        return make_optimizers(self.net)

    def autocast(self):  # our network chooses its numbers by itself
        return mock.patch.object(device, "bf16_helps", lambda _: self.bf16)

    def learn(self, x_0):
        generator = torch.Generator().manual_seed(0)
        rows = torch.arange(len(x_0))
        with self.autocast():
            loss = denoising_loss(self.net, x_0, rows, None, self.schedule, generator)
            optimizer_step(loss, self.net, self.optim)

    def train(self, pictures, cpu_seconds, seed=0):
        how = {"batch": self.batch, "report": lambda *_: None}
        how["clock"] = time.process_time  # the budget counts CPU time
        with self.autocast():
            run = train(self.net, pictures, seconds=cpu_seconds, seed=seed, **how)
        return run.steps

    def pictures(self, n, seed=0):
        with self.autocast():
            parts = [
                sample(self.net, n=min(PART, n - i), seed=seed + i, steps=20, sampler=ddim)
                for i in range(0, n, PART)
            ]
        return torch.cat(parts)


class Diffusers(Contender):
    """diffusers' examples/unconditional_image_generation/train_unconditional.py; DDIM, 25 steps."""

    name = "diffusers"
    batch, clip = 16, 1.0

    def network(self, size):
        from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

        self.noising = DDPMScheduler(num_train_timesteps=1000)
        self.sampling = DDIMScheduler.from_config(self.noising.config)
        return UNet2DModel(
            sample_size=32,
            in_channels=self.channels,
            out_channels=self.channels,
            layers_per_block={"1 M": 1, "3 M": 2}[size],
            block_out_channels={"1 M": (32, 64, 64), "3 M": (32, 64, 96)}[size],
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            norm_num_groups=8,  # the default of 32 would leave groups of one channel: slower
        )

    def optimizer(self):
        return torch.optim.AdamW(
            self.net.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6
        )

    def rate(self, step, share):
        return min(1, (step + 1) / 50) * (1 + math.cos(math.pi * share)) / 2

    def decay(self, step):
        return min(0.9999, 1 - (1 + step) ** -0.75)

    def loss(self, x_0):
        eps, t = torch.randn_like(x_0), torch.randint(1000, (len(x_0),))
        return F.mse_loss(self.net(self.noising.add_noise(x_0, eps, t), t).sample, eps)

    def draw(self, n):
        x = torch.randn(n, *self.shape)
        self.sampling.set_timesteps(25)
        for t in self.sampling.timesteps:
            x = self.sampling.step(self.net(x, t).sample, t, x).prev_sample
        return x


class SmallDiffusion(Contender):
    """smalldiffusion's examples/fashion_mnist_unet.py, with its 20 steps at gam=1.6."""

    name = "smalldiffusion"

    def network(self, size):
        import smalldiffusion as sd

        self.lib = sd
        self.schedule = sd.ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)
        blocks, mult = {"1 M": (1, (1, 2, 2)), "3 M": (2, (1, 2, 3))}[size]
        return sd.Scaled(sd.Unet)(
            32, self.channels, self.channels, ch=32, ch_mult=mult, num_res_blocks=blocks
        )

    def optimizer(self):
        return torch.optim.AdamW(self.net.parameters(), lr=7e-4)

    def decay(self, step):  # torch_ema's
        return min(0.999, (1 + step) / (10 + step))

    def loss(self, x_0):
        x_0, sigma, eps, _ = self.lib.generate_train_sample(x_0, self.schedule)
        return self.net.get_loss(x_0, sigma, eps)

    def draw(self, n):
        x_T = self.net.rand_input(n) * self.schedule.sample_sigmas(20)[0]
        return list(self.lib.samples(self.net, self.schedule.sample_sigmas(20), gam=1.6, xt=x_T))[
            -1
        ]


class Lucidrains(Contender):
    """denoising-diffusion-pytorch: the README's usage and its Trainer's defaults; 25 steps."""

    name = "denoising-diffusion"
    batch, clip = 16, 1.0

    def network(self, size):
        import denoising_diffusion_pytorch as ddp

        dim = {"1 M": 20, "3 M": 32}[size]
        net = ddp.Unet(dim, dim_mults=(1, 2, 4), channels=self.channels)
        return ddp.GaussianDiffusion(net, image_size=32, timesteps=1000, sampling_timesteps=25)

    def optimizer(self):
        return torch.optim.Adam(self.net.parameters(), lr=1e-4, betas=(0.9, 0.99))

    def decay(self, step):  # ema_pytorch's: a copy for 100 steps, then every tenth step
        if step <= 100:
            return 0.0
        return 1.0 if step % 10 else min(0.995, 1 - (step - 100) ** (-2 / 3))

    def loss(self, x_0):
        return self.net((x_0 + 1) / 2)

    def draw(self, n):
        return self.net.sample(batch_size=n) * 2 - 1


class KDiffusion(Contender):
    """k-diffusion's configs/config_32x32_small.json, narrower; DPM-Solver++ 2M, 20 steps.

    The released package lacks that file's "sqrt-snr" weighting; "soft-min-snr" is its nearest.
    """

    name = "k-diffusion"
    layout = CHANNELS_LAST

    def network(self, size):
        import k_diffusion as K

        self.K = K
        depths = {"1 M": (1, 1, 1), "3 M": (2, 2, 2)}[size]
        attention = [False, False, True]
        net = K.models.ImageDenoiserModelV1(
            self.channels, 128, depths, (32, 64, 128), attention, cross_attn_depths=[False] * 3
        )
        self.sigma_data = 0.5
        return K.layers.Denoiser(net, sigma_data=self.sigma_data, weighting="soft-min-snr")

    def optimizer(self):
        groups = self.net.inner_model.param_groups(1e-4)
        return torch.optim.AdamW(groups, betas=(0.95, 0.999), eps=1e-6, weight_decay=1e-3)

    def decay(self, step):
        return min(0.9999, 1 - (1 + step) ** -0.6667)

    def loss(self, x_0):
        sigma = self.K.utils.rand_v_diffusion([len(x_0)], self.sigma_data, 1e-3, 1e3)
        return self.net.loss(x_0, torch.randn_like(x_0), sigma).mean()

    def draw(self, n):
        sigmas = self.K.sampling.get_sigmas_karras(20, 1e-2, 80, rho=7.0)
        x_T = torch.randn(n, *self.shape) * sigmas[0]
        return self.K.sampling.sample_dpmpp_2m(self.net, x_T, sigmas, disable=True)


PEERS = (Diffusers, SmallDiffusion, Lucidrains, KDiffusion)


ENDS = {  # the first and the last layer of each peer's network
    "diffusers": ("conv_in", "conv_out"),
    "smalldiffusion": ("conv_in", "out_layer"),
    "denoising-diffusion": ("init_conv", "final_conv"),
    "k-diffusion": ("proj_in", "proj_out"),
}


class Borrowed(nn.Module):
    """A peer's bare network with the face of ours, so that our `train` and samplers take it."""

    predicts = "velocity"

    def __init__(self, peer):
        super().__init__()
        inner = {"denoising-diffusion": "model", "k-diffusion": "inner_model"}.get(peer.name)
        self.net = getattr(peer.net, inner) if inner else peer.net
        self.name = peer.name
        self.enter, self.leave = (getattr(self.net, end) for end in ENDS[peer.name])
        self.image_shape, self.schedule = peer.shape, cosine_schedule()

    def forward(self, x_t, t, text=None):
        t = torch.as_tensor(t).expand(len(x_t))
        signal_rate, noise_rate = self.schedule.rates(t, like=x_t)  # (B, 1, 1, 1)
        told = {  # smalldiffusion scales its input by itself
            "smalldiffusion": (x_t / signal_rate, noise_rate / signal_rate),
            "k-diffusion": (x_t, (noise_rate / signal_rate).flatten()),
        }.get(self.name, (x_t, t))
        with device.fast_math(x_t):
            out = self.net(*told)
        return getattr(out, "sample", out).to(x_t.dtype)


def borrowed(peer):
    """A contender: this peer's network, our recipe and our sampler."""

    class Mixed(Sculptor):
        name = f"{peer.name}'s network, our recipe"
        layout = peer.layout

        def network(self, size):
            return Borrowed(peer(size, self.channels, self.bf16))

    return Mixed
