"""Lesson 03: a loss, a training step, the price of an error, the way back, a diagnosis, levels."""

import functools

import torch
import torch.nn.functional as F

from ..data import load_emoji
from ..noising import add_noise, cosine_schedule
from . import Exercise, makers, named, no_number, no_tensor, off_by, parse_choice, same
from .beside import FOUR, Curves, Numbers, Pictures, emoji

# ---- 03.1: the loss of one batch ----------------------------------------------------------------


def clean_loss(model, x_0, t, eps, schedule):
    x_t = add_noise(x_0, t, eps, schedule)  # (B, C, H, W), what the network sees
    return F.mse_loss(model(x_t), x_0)  # 0 would be a perfect prediction


def compared_with_the_noise(model, x_0, t, eps, schedule):
    return F.mse_loss(model(add_noise(x_0, t, eps, schedule)), eps)


def compared_with_what_it_sees(model, x_0, t, eps, schedule):
    x_t = add_noise(x_0, t, eps, schedule)
    return F.mse_loss(model(x_t), x_t)


def shown_the_clean_picture(model, x_0, t, eps, schedule):
    return F.mse_loss(model(x_0), x_0)


def not_predicted(model, x_0, t, eps, schedule):
    return F.mse_loss(add_noise(x_0, t, eps, schedule), x_0)


def fresh_noise(model, x_0, t, eps, schedule):
    return F.mse_loss(model(add_noise(x_0, t, torch.randn_like(eps), schedule)), x_0)


def not_squared(model, x_0, t, eps, schedule):
    return F.l1_loss(model(add_noise(x_0, t, eps, schedule)), x_0)


def each_pixel(model, x_0, t, eps, schedule):
    return (model(add_noise(x_0, t, eps, schedule)) - x_0) ** 2


def plain_number(model, x_0, t, eps, schedule):
    return clean_loss(model, x_0, t, eps, schedule).item()


OTHER_LOSSES = {
    "summed": (
        lambda model, x_0, t, eps, schedule: F.mse_loss(
            model(add_noise(x_0, t, eps, schedule)), x_0, reduction="sum"
        ),
        "that is the sum of the squared errors; take their mean.",
    ),
    "took the root": (
        lambda *a: clean_loss(*a).sqrt(),
        "that is its root; leave the mean squared error as it is.",
    ),
    "forgot the square": (
        lambda model, x_0, t, eps, schedule: (model(add_noise(x_0, t, eps, schedule)) - x_0).mean(),
        "errors above and below cancel out; square them before you take the mean.",
    ),
    "showed the model the noise": (
        lambda model, x_0, t, eps, schedule: F.mse_loss(model(eps), x_0),
        "you show the model the noise alone; it sees x_t.",
    ),
    "took the output for the noise": (
        lambda model, x_0, t, eps, schedule: F.mse_loss(
            add_noise(x_0, t, eps, schedule) - model(add_noise(x_0, t, eps, schedule)), x_0
        ),
        "you subtract the prediction from x_t; this model predicts the picture itself.",
    ),
}


def check_loss(function):
    schedule, weight = cosine_schedule(), torch.tensor(0.2, requires_grad=True)
    x_0, eps = torch.rand(8, 3, 8, 8) * 2 - 1, torch.randn(8, 3, 8, 8)
    case = (lambda x, t=None: weight * x, x_0, torch.tensor([90, 600] * 4), eps, schedule)
    got, want = function(*case), clean_loss(*case)
    if isinstance(got, float) and abs(got - want.item()) < 1e-4:
        return "You return a plain number, and `backward()` needs the tensor: leave `.item()` out."
    if torch.is_tensor(got) and got.shape == x_0.shape:
        return "You return an error for every pixel; one number is asked for, their mean."
    if torch.is_tensor(got) and got.shape == (8,):
        return "You return an error for each picture; one number is asked for, the mean of all."
    if problem := no_tensor(got, (), "the loss"):
        return problem
    if not same(got, function(*case)):
        return (
            "The same batch twice, and two different losses: something in your lines is random. "
            "Use `eps`, which is given."
        )
    names = f"Your loss is {got:.3f}, it should be {want:.3f}"
    if same(got, compared_with_the_noise(*case)):
        return f"{names}: you compare with the noise, and the clean picture is asked for."
    if same(got, compared_with_what_it_sees(*case)):
        return f"{names}: you compare with x_t, the input; the clean picture is asked for."
    if same(got, shown_the_clean_picture(*case)):
        return f"{names}: you show the model x_0, from which there is no noise to remove."
    if same(got, not_predicted(*case)):
        return f"{names}: you compare the input with x_0; call the model first."
    if same(got, not_squared(*case)):
        return f"{names}: yours is the mean of the distances, and they should be squared."
    if not same(got, want):
        told = named(got, OTHER_LOSSES, *case)
        return f"{names}: {told}" if told else f"{names}."
    if not got.requires_grad:
        return "The number is right, but no gradient reaches the parameters: no `detach`, please."
    return None


def cleaned(function):
    """Four noisy emoji, and what a small network makes of them that was trained with this loss."""
    x_0, schedule, t = F.avg_pool2d(emoji(*FOUR), 2), cosine_schedule(), torch.full((4,), 400)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(16, 3, 3, padding=1)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        function(lambda x, t=None: net(x), x_0, t, torch.randn_like(x_0), schedule).backward()
        optimizer.step()
    return net(add_noise(x_0, t, torch.randn_like(x_0), schedule))


# ---- 03.2: a training step ----------------------------------------------------------------------


def training_step(loss, optimizer):
    loss.backward()  # adds the new gradients to those that are there
    optimizer.step()
    optimizer.zero_grad()  # so that the next ones are added to nothing
    return loss.item()


def never_backward(loss, optimizer):
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def never_a_step(loss, optimizer):
    loss.backward()
    optimizer.zero_grad()
    return loss.item()


def never_emptied(loss, optimizer):
    loss.backward()
    optimizer.step()
    return loss.item()


def emptied_too_soon(loss, optimizer):
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def step_before_backward(loss, optimizer):
    optimizer.step()
    loss.backward()
    optimizer.zero_grad()
    return loss.item()


def loss_as_a_tensor(loss, optimizer):
    training_step(loss, optimizer)
    return loss


def two_steps(loss, optimizer):
    loss.backward()
    optimizer.step()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


class Watched(torch.optim.SGD):
    """Notes its calls in `calls`, and those of backward()."""

    def __init__(self, weight):
        super().__init__([weight], lr=0.25)
        self.calls = []
        weight.register_hook(lambda gradient: self.calls.append("backward"))

    def step(self, closure=None):
        self.calls.append("step")
        return super().step(closure)

    def zero_grad(self, set_to_none=True):
        self.calls.append("zero_grad")
        super().zero_grad(set_to_none)


def check_step(function):
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer, before = Watched(weight), weight.detach().clone()
    loss = weight.square().sum() / 2  # its gradient is the weight: a step leaves 0.75 of it
    got, calls = function(loss, optimizer), optimizer.calls
    if "backward" not in calls:
        return "There are no gradients: which call computes them from the loss?"
    if "step" not in calls:
        return "The gradients are there, but no parameter has moved: who takes the step?"
    if calls.index("step") < calls.index("backward"):
        return "You take the step before its gradients are computed."
    if "zero_grad" in calls[calls.index("backward") : calls.index("step")]:
        return "You empty the gradients before the step has used them."
    times = [calls.count(call) for call in ("backward", "step")]
    if times != [1, 1]:
        return f"One backward and one step are enough; you make {times[0]} and {times[1]}."
    if not torch.is_tensor(got) and (problem := no_number(got, "the loss")):
        return problem
    if torch.is_tensor(got) or abs(float(got) - loss.item()) > 1e-4:
        return "The step is right. Return the loss as a plain number, `loss.item()`."
    function(weight.square().sum() / 2, optimizer)
    if not same(weight.detach(), 0.75**2 * before):
        return (
            "The first step is right, the second goes too far: the old gradients were still there, "
            "and the new ones were added to them."
        )
    return None


STEPS = range(20)


def losses(function):
    """The loss before each of some training steps that are made like this."""
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer, seen = torch.optim.SGD([weight], lr=0.25), []
    for _ in STEPS:
        loss = weight.square().sum() / 2
        seen.append(loss.item())
        function(loss, optimizer)
    return torch.tensor(seen)


# ---- 03.3: the price of an error ----------------------------------------------------------------


def price(alpha_bar):
    return (1 - alpha_bar) / alpha_bar  # (noise rate / signal rate) squared, which is 1 / SNR


def check_price(function):
    for share in (0.5, 0.01):  # at 0.5 some wrong lines cannot be told apart
        got, want = function(torch.tensor(share)), price(share)
        if problem := no_number(got, "the price"):
            return problem
        got = float(got)
        if abs(got - want) < 1e-3 * want:
            continue
        at_hundredth = float(function(torch.tensor(0.01)))
        names = f"At alpha_bar = 0.01 yours is {at_hundredth:.3g}, it should be 99"
        typical = {
            1 / share: "the noise rate is missing, (1 - alpha_bar) over alpha_bar",
            1 - share: "the division is missing; the noise is divided by the signal rate, squared",
            -want: "the sign is wrong, and a price is above zero",
            1 / share**0.5: "the noise rate is missing, and the square",
        }
        for wrong, words in typical.items():
            if abs(got - wrong) < 1e-3 * abs(wrong):
                return f"At alpha_bar = {share} yours is {got:.3g}, not {want:.3g}: {words}."
        if share == 0.5:
            return f"At alpha_bar = 0.5 both rates are the same, so the price is 1, not {got:.3g}."
        if abs(got - want**0.5) < 1e-3:
            return f"{names}: the error is squared, so square noise_rate / signal_rate, too."
        if abs(got - 1 / want) < 1e-3:
            return f"{names}: upside down. What is the predicted noise divided by?"
        if abs(got - want**2) < 1e-3 * want**2:
            return f"{names}: squared twice, for alpha_bar and 1 - alpha_bar are squares already."
        return f"{names}."
    return None


# ---- 03.4: the way back -------------------------------------------------------------------------


def velocity_of(x_0, eps, signal_rate, noise_rate):
    return signal_rate * eps - noise_rate * x_0


def turn_back(x_t, v, signal_rate, noise_rate):
    return noise_rate * x_t + signal_rate * v, signal_rate * x_t - noise_rate * v  # noise, clean


def in_the_other_order(x_t, v, signal_rate, noise_rate):
    return signal_rate * x_t - noise_rate * v, noise_rate * x_t + signal_rate * v


def minus_in_the_wrong_place(x_t, v, signal_rate, noise_rate):
    return noise_rate * x_t - signal_rate * v, signal_rate * x_t + noise_rate * v


def taken_for_the_noise(x_t, v, signal_rate, noise_rate):
    return v, (x_t - noise_rate * v) / signal_rate


def check_turn_back(function):
    x_0, eps = torch.rand(4, 3, 8, 8) * 2 - 1, torch.randn(4, 3, 8, 8)
    signal_rate, noise_rate = cosine_schedule().rates(torch.tensor([100, 300, 600, 900]), like=x_0)
    x_t, v = signal_rate * x_0 + noise_rate * eps, velocity_of(x_0, eps, signal_rate, noise_rate)
    got = function(x_t, v, signal_rate, noise_rate)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        return f"Expected two tensors, noise and clean, got {type(got).__name__}."
    for one, what in zip(got, ("noise", "clean"), strict=True):
        if problem := no_tensor(one, x_0.shape, what):
            return problem
    noise, clean = got
    if same(noise, eps, atol=1e-3) and same(clean, x_0, atol=1e-3):
        return None
    off = off_by(clean, x_0)
    if same(noise, x_0, atol=1e-3) and same(clean, eps, atol=1e-3):
        return "Both are right, in the other order: noise first, then clean."
    wrong = minus_in_the_wrong_place(x_t, v, signal_rate, noise_rate)
    if same(noise, wrong[0]) and same(clean, wrong[1]):
        return f"Your clean picture is off by {off:.2f}: the minus belongs to the clean one."
    if same(noise, x_t * signal_rate + v * noise_rate):
        return f"Off by {off:.2f}: you exchanged the two rates."
    if same(noise, v):
        return f"Off by {off:.2f}: you return v itself as the noise; the two rates are missing."
    if same(noise, eps, atol=1e-3):
        return f"The noise is right, the clean picture is off by {off:.2f}."
    if same(clean, x_0, atol=1e-3):
        return f"The clean picture is right, the noise is off by {off_by(noise, eps):.2f}."
    return f"The noise is off by {off_by(noise, eps):.2f}, the clean picture by {off:.2f}."


def turned_back(function):
    x_0, eps = emoji(*FOUR), torch.randn(4, 3, 32, 32)
    signal_rate, noise_rate = cosine_schedule().rates(300, like=x_0)
    x_t, v = signal_rate * x_0 + noise_rate * eps, velocity_of(x_0, eps, signal_rate, noise_rate)
    return torch.cat([*function(x_t, v, signal_rate, noise_rate)])


# ---- 03.5: a broken model -----------------------------------------------------------------------

CAUSES = ("label", "fresh", "range", "short")


def diagnosis():
    return "range"  # pictures in [0, 1]: every line runs, the loss falls, the samples are pale


@functools.cache
def evidence(t=500):
    """What the experiments measure at t, on pictures that no network has seen."""
    from ..checkpoints import load_checkpoint  # only now: most readers never need them
    from .broken_models import broken_model

    emoji, schedule = load_emoji(), cosine_schedule()
    x_0 = emoji.images[emoji.held_out][:16]
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    signal_rate, noise_rate = schedule.rates(t, like=x_0)

    @torch.no_grad()
    def answer(net, x):
        x_t = add_noise(x, t, eps, schedule)
        return x_t, net(x_t, torch.full((len(x),), t))

    def error(net, x):
        x_t, v = answer(net, x)
        return F.mse_loss(signal_rate * x_t - noise_rate * v, x).item()

    broken, healthy, other = (
        broken_model("03", "cpu"),
        load_checkpoint("apprentice", "cpu"),
        x_0 / 2,
    )
    v = answer(broken, x_0)[1]
    return {
        "from zero": v.pow(2).mean().item(),
        "from noise": F.mse_loss(v, eps).item(),
        "from velocity": F.mse_loss(v, velocity_of(x_0, eps, signal_rate, noise_rate)).item(),
        "broken": error(broken, other + 0.5) * 4,
        "healthy": error(healthy, other + 0.5) * 4,
    }


def check_diagnosis(function):
    word, problem = parse_choice(function(), CAUSES)
    if problem:
        return problem
    if word == diagnosis():
        return None
    found = evidence()
    if word == "fresh":
        return (
            "Experiment 1 speaks against it: such a network learns to predict zero, and the "
            f"predictions of this one lie {found['from zero']:.2f} from zero."
        )
    if word == "label":
        return (
            "Experiment 2 speaks against it: at t = 500 its predictions lie "
            f"{found['from noise']:.2f} from the noise and {found['from velocity']:.2f} from the "
            "velocity."
        )
    return (
        "Experiment 3 speaks against it: for some scale and shift its error at t = 500 is "
        f"{found['broken']:.3f}, and the healthy one's is {found['healthy']:.3f}. A network that "
        "was trained too shortly is not as good as that on any pictures."
    )


# ---- 03.6: the error of a network that predicts zero --------------------------------------------


def error_of_zero(s2):
    return 0.5 + 0.5 * s2


def check_zero(function):
    for s2 in (0.4, 1.5):
        got, want = function(s2), error_of_zero(s2)
        if problem := no_number(got, "the error"):
            return problem
        got = float(got)
        if abs(got - want) < 1e-4:
            continue
        names = f"For s2 = {s2} it is {want:.2f}, not {got:.2f}"
        if abs(got - (1 + s2)) < 1e-4:
            return f"{names}: each mean square is multiplied by its rate squared, here 0.5."
        if abs(got - (0.5 - 0.5 * s2)) < 1e-4:
            return f"{names}: the mean square of a difference is the sum of both mean squares."
        if abs(got - 0.5 * s2) < 1e-4:
            return f"{names}: you forgot the noise, whose mean square is 1."
        if abs(got - 0.5**0.5 * (1 + s2)) < 1e-4:
            return f"{names}: a factor comes out of a mean square squared."
        if abs(got - (0.5 + 0.5 * s2**2)) < 1e-4:
            return f"{names}: s2 is a mean square already, so do not square it again."
        if abs(got - want**0.5) < 1e-4:
            return f"{names}: leave the root out, an MSE is a mean of squares."
        if abs(got - 0.25 * (1 + s2)) < 1e-4:
            return f"{names}: each rate is the root of 0.5, and squared it is 0.5, not 0.25."
        return f"{names}."
    return None


# ---- 03.7: noise levels of your own -------------------------------------------------------------


def my_levels(n):
    return (torch.sigmoid(torch.randn(n)) * 1000).long()


def forgot_the_thousand(n):
    return torch.sigmoid(torch.randn(n)).long()


def check_levels(function):
    n = 4000
    t = function(n)
    if problem := no_tensor(t, (n,), "your levels"):
        return problem
    if t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
        kind = str(t.dtype).removeprefix("torch.")
        return f"A t is a whole number, yours are {kind}: `.long()` cuts off the fraction."
    if t.min() < 0 or t.max() > 999:
        return f"t lies in 0..999, yours lie in {t.min()}..{t.max()}."
    if (t == t[0]).all():
        return f"All your levels are {t[0]}: spread them over 0..999."
    if torch.equal(t, function(n)):
        return "Two calls give the same numbers in the same order: draw them at random."
    middle = ((t >= 250) & (t < 750)).double().mean().item()
    for share, where in ((t < 100, "below 100"), (t >= 900, "of 900 and more")):
        if share.double().mean() < 0.005:
            return (
                f"{middle:.0%} of your levels lie in the middle, and {share.double().mean():.1%} "
                f"{where}: sampling passes through every t, so leave each end at least 0.5%."
            )
    if middle < 0.6:
        return f"{middle:.0%} of your levels lie in 250..749; the middle should get 60% or more."
    return None


TENTHS = range(50, 1000, 100)  # the middle of each


def drawn_in_each_tenth(function):
    t = torch.as_tensor(function(4000)).double()
    return torch.histc(t, len(TENTHS), 0, 1000) / len(t)


EXERCISES = (
    Exercise(
        name="03.1",
        title="the loss of one batch",
        check=check_loss,
        solution=clean_loss,
        hints=(
            "Show the model what it can see, x_t, and compare its prediction with the picture "
            "under the noise.",
            "`model(x_t)` is the prediction, `x_0` the truth; `F.mse_loss(a, b)` is the mean "
            "squared error between two tensors.",
        ),
        wrong={
            "compared with the noise": compared_with_the_noise,
            "compared with x_t": compared_with_what_it_sees,
            "showed the model the clean picture": shown_the_clean_picture,
            "did not call the model": not_predicted,
            "drew fresh noise": fresh_noise,
            "forgot to square": not_squared,
            "did not average": each_pixel,
            "returned a plain number": plain_number,
            "averaged each picture": lambda *a: each_pixel(*a).mean((1, 2, 3)),
            **makers(OTHER_LOSSES),
        },
        views=(
            Pictures(
                "Four noisy emoji, cleaned by a small network that was trained with this loss",
                cleaned,
            ),
        ),
    ),
    Exercise(
        name="03.2",
        title="a training step",
        check=check_step,
        solution=training_step,
        hints=(
            "A step uses gradients, so they must be computed before it; and what it has used must "
            "not be added to the next ones. Return `loss.item()` at the end: as long as the "
            "function returns `...`, it counts as not done.",
            "`loss.backward()` adds gradients, `optimizer.step()` uses them, "
            "`optimizer.zero_grad()` empties them.",
        ),
        wrong={
            "no backward": never_backward,
            "no step": never_a_step,
            "never empties the gradients": never_emptied,
            "empties them too soon": emptied_too_soon,
            "a step before backward": step_before_backward,
            "returned the tensor": loss_as_a_tensor,
            "two steps": two_steps,
        },
        views=(Curves("A small training", losses, STEPS, "step", "loss"),),
    ),
    Exercise(
        name="03.3",
        title="the price of an error",
        check=check_price,
        solution=price,
        hints=(
            "In the formula of the clean picture the predicted noise is multiplied by one rate and "
            "divided by the other. So is an error in it.",
            "The factor is noise_rate / signal_rate, and a squared error is multiplied by its "
            "square. What are the two rates, squared?",
        ),
        wrong={
            "forgot to square the factor": lambda alpha_bar: ((1 - alpha_bar) / alpha_bar) ** 0.5,
            "upside down": lambda alpha_bar: alpha_bar / (1 - alpha_bar),
            "only divided": lambda alpha_bar: 1 / alpha_bar,
            "forgot the division": lambda alpha_bar: 1 - alpha_bar,
            "a wrong sign": lambda alpha_bar: 1 - 1 / alpha_bar,
            "squared twice": lambda alpha_bar: price(alpha_bar) ** 2,
        },
        views=(
            Numbers(
                "The price at four values of alpha_bar",
                lambda f: [f(torch.tensor(a)) for a in (0.9, 0.5, 0.1, 0.01)],
                ["0.9", "0.5", "0.1", "0.01"],
            ),
        ),
    ),
    Exercise(
        name="03.4",
        title="the way back",
        check=check_turn_back,
        solution=turn_back,
        hints=(
            "Two equations, x_t = signal x_0 + noise eps and v = signal eps - noise x_0, where "
            "signal and noise are the two rates. Multiply each by one of the rates, so that x_0 "
            "cancels when you add them.",
            "noise x_t + signal v = (noise**2 + signal**2) eps, and the bracket is 1. The clean "
            "picture comes in the same way, with a minus.",
        ),
        wrong={
            "in the other order": in_the_other_order,
            "the minus in the wrong place": minus_in_the_wrong_place,
            "took the velocity for the noise": taken_for_the_noise,
            "exchanged the rates": lambda x_t, v, signal_rate, noise_rate: turn_back(
                x_t, v, noise_rate, signal_rate
            ),
        },
        views=(
            Pictures(
                "Noise and clean picture at t = 300, out of x_t and v",
                turned_back,
                [*["noise"] * 4, *["clean"] * 4],
            ),
        ),
    ),
    Exercise(
        name="03.5",
        title="name the cause",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "Experiments 1 and 2 rule out one cause each: are its predictions near zero? Near the "
            "noise?",
            "For which pictures is it as good as the healthy one? Try a smaller scale and a "
            "positive shift in experiment 3.",
        ),
        wrong={cause: (lambda cause=cause: cause) for cause in CAUSES if cause != "range"},
    ),
    Exercise(
        name="03.6",
        title="the error of predicting zero",
        check=check_zero,
        solution=error_of_zero,
        hints=(
            "A network that always predicts zero is wrong by v itself, so its error is the mean "
            "square of v = signal_rate * eps - noise_rate * x_0.",
            "eps has mean zero and does not depend on x_0, so the mean squares add, each times its "
            "rate squared. Both are 0.5 here, and the mean square of the noise is 1.",
        ),
        wrong={
            "forgot the rates": lambda s2: 1 + s2,
            "subtracted the mean squares": lambda s2: 0.5 - 0.5 * s2,
            "forgot the noise": lambda s2: 0.5 * s2,
            "did not square the rates": lambda s2: 0.5**0.5 * (1 + s2),
            "squared the mean square": lambda s2: 0.5 + 0.5 * s2**2,
            "took the root": lambda s2: error_of_zero(s2) ** 0.5,
            "squared the rates twice": lambda s2: 0.25 * (1 + s2),
        },
        views=(
            Numbers(
                "The error of a network that always says zero",
                lambda f: [f(0.4), f(1.0), f(1.5)],
                ["s2 = 0.4", "s2 = 1", "s2 = 1.5"],
            ),
        ),
    ),
    Exercise(
        name="03.7",
        title="noise levels of your own",
        check=check_levels,
        solution=my_levels,
        hints=(
            "You need random numbers that prefer the middle and never leave out the ends. A normal "
            "distribution does the first; how do you bring it into 0..999?",
            "`torch.sigmoid(torch.randn(n))` lies between 0 and 1, mostly in the middle. Times "
            "1000, then `.long()`.",
        ),
        wrong={
            "uniform, as before": lambda n: torch.randint(1000, (n,)),
            "never at the ends": lambda n: torch.randint(250, 750, (n,)),
            "not whole": lambda n: torch.sigmoid(torch.randn(n)) * 1000,
            "forgot the thousand": forgot_the_thousand,
            "beyond the end": lambda n: (500 + 200 * torch.randn(n)).long(),
            "not random": lambda n: torch.linspace(0, 999, n).long(),
        },
        views=(
            Curves(
                "How 4000 levels are spread",
                drawn_in_each_tenth,
                TENTHS,
                "t",
                "share in each tenth",
                ylim=(0, None),
            ),
        ),
    ),
)
