"""The reusable core of Sculptor of Chaos: one module per idea of the lessons."""

from .checkpoints import load_checkpoint, save_checkpoint
from .data import Emoji, Pictures, load_emoji
from .denoiser import Denoiser, Prediction
from .device import pick_device
from .evaluation import (
    decided_by_scale,
    extract_features,
    frechet_distance,
    loss_by_level,
    nearest,
    precision_recall,
    rank_among,
)
from .noising import Schedule, add_noise, cosine_schedule, linear_schedule
from .optim import Muon
from .sampling import (
    Step,
    ddim,
    ddpm,
    dpm_solver,
    predict,
    pure_noise,
    sample,
    timesteps,
)
from .training import TrainingResult, train
from .unet import Block, UNet
