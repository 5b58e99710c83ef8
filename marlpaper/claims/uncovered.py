"""Claims of the two papers that no notebook covers yet: listed, so that the ledger hides nothing."""

from marlpaper.claims.check import registry

_MAML = r"""
mao2023.lemma3 | Lemma 3 | Lipschitz constant of a product of bounded Lipschitz maps
mao2023.lemma4 | Lemma 4 | Lipschitz constant of an expectation under a parametrised distribution
mao2023.lemma5 | Lemma 5 | A block-diagonal matrix has norm at most $\max_i\Vert A_i\Vert$
mao2023.lemma6 | Lemma 6 | $N\times N$ blocks, each $L$-Lipschitz, are $NL$-Lipschitz together
mao2023.lemma12 | Lemma 12 | (i) $\Vert\nabla\log\pi_\theta\Vert\le\sqrt{2N}$ (ii) $\Vert\nabla^2\log\pi_\theta\Vert\le2$ (iii) $\nabla^2\log\pi_\theta$ is 12-Lipschitz
mao2023.lemma13 | Lemma 13 | (i) $\Vert\nabla\Phi\Vert\le\frac{\sqrt{2N}}{(1-\gamma)^2}$ (ii) $\Vert\nabla^2\Phi\Vert\le\frac{6N}{(1-\gamma)^3}$ (iii) $\nabla^2\Phi$ is $\frac{56N^{3/2}}{(1-\gamma)^4}$-Lipschitz
mao2023.lemma14 | Lemma 14 | With $\alpha=\frac{(1-\gamma)^3}{6N}$: $F_T$ is $L_F$-smooth, $L_F=(\alpha TB_\Phi L_H+L_\Phi)2^{2T}$
mao2023.lemma15 | Lemma 15 | The policy Hessian in closed form
mao2023.lemma16 | Lemma 16 | Each block of the Hessian is $\frac{56\sqrt N}{(1-\gamma)^4}$-Lipschitz
mao2023.theorem4 | Theorem 4 | $K=\frac{4NL_F}{(1-\gamma)\varepsilon^2}$ outer steps reach $\min_k\Vert\nabla F_T(\theta^k)\Vert\le\varepsilon$
"""

_SAMPLED = r"""
ding2022.sample-complexity | Sample complexity | $A^2N^2d^6/\varepsilon^5$ samples
ding2022.mpg-agnostic-regret | Function approximation, potential games | $E[\text{Nash-Regret}]\lesssim d^2\sqrt{AN/T}+\sqrt[3]{d^2WAN\varepsilon_{stat}}$
ding2022.cooperative-agnostic-regret | Function approximation, cooperative games | $\sqrt d\sqrt{AN/T}+\sqrt[3]{d^2WAN\varepsilon_{stat}}$
ding2022.game-agnostic | Game-agnostic learning | $\text{Nash-Regret}\lesssim T^{-1/6}$ of optimistic Q-ascent, cooperative and zero-sum
"""

for _line in filter(None, "".join((_MAML, _SAMPLED)).splitlines()):
    registry.add(*_line.split(" | "))
