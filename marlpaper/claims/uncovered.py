"""Claims of the two papers that no notebook covers yet: listed, so that the ledger hides nothing."""

from marlpaper.claims.check import registry

_CORRELATED = r"""
mao2023.lemma17 | Lemma 17 | $\mathrm{reg}^\tau_{h,i}\le\frac1{\eta L_\tau}D(\pi_{h,i}^{\tau\dagger}\Vert\tilde\pi^\tau_{h,i})+36(N-1)^2\eta^2H^3$
mao2023.lemma18 | Lemma 18 | $\Vert\pi^t_{h,i}-\pi^{t-1}_{h,i}\Vert_1^2\le18\eta H$
mao2023.lemma19 | Lemma 19 | $\delta_h^t\le\frac3{\eta L_\tau}\sum_{h'\ge h}\max_i\max_sD(\cdot)+36(N-1)^2\eta^2H^4$
mao2023.theorem5 | Theorem 5, first claim | $\text{CCE-gap}(\bar\pi)\le\frac3{\eta T}\sum_h\sum_\tau\max_i\max_sD(\pi_{h,i}^{\tau\dagger}\Vert\tilde\pi_{h,i}^\tau)+36N^2\eta^2H^4$
mao2023.theorem5-uniform | Theorem 5, uniform start | $\text{CCE-gap}\le12N^{2/3}H^{8/3}\log T\log A_{\max}\,T^{-2/3}$
mao2023.theorem6 | Theorem 6 | $\frac1K\sum_k\text{CCE-gap}\le\big(\frac{HN}{T}\big)^{2/3}\Big(\frac{\Delta_\pi}{K^{5/6}}+\frac{10A_{\max}\ln K}{K^{1/3}}+\frac{52H^2\ln T\log(A_{\max}K)}{K^{1/3}}\Big)$
"""

_SAMPLED = r"""
ding2022.sample-complexity | Sample complexity | $A^2N^2d^6/\varepsilon^5$ samples
ding2022.mpg-agnostic-regret | Function approximation, potential games | $E[\text{Nash-Regret}]\lesssim d^2\sqrt{AN/T}+\sqrt[3]{d^2WAN\varepsilon_{stat}}$
ding2022.cooperative-agnostic-regret | Function approximation, cooperative games | $\sqrt d\sqrt{AN/T}+\sqrt[3]{d^2WAN\varepsilon_{stat}}$
ding2022.game-agnostic | Game-agnostic learning | $\text{Nash-Regret}\lesssim T^{-1/6}$ of optimistic Q-ascent, cooperative and zero-sum
"""

for _line in filter(None, "".join((_CORRELATED, _SAMPLED)).splitlines()):
    registry.add(*_line.split(" | "))
