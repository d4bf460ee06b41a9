"""The style sheet of the report: light and dark, screen and paper."""

from __future__ import annotations

from strongsuit.plots.style import DARK_PALETTE, PALETTE


def _regimes(colours: tuple[str, ...]) -> str:
    return "".join(f"--regime-{k + 1}:{colour};" for k, colour in enumerate(colours))


_LIGHT = (
    "--ink:#1b1f24;--muted:#56606c;--rule:#d9dee4;--paper:#ffffff;--raised:#f5f7f9;--good:#00775a;"
    f"--quiet:#7d8590;--warn:#8a5300;--warn-paper:#fff6e5;--link:#0a5fa8;{_regimes(PALETTE)}"
)
_DARK = (
    "--ink:#e8ebef;--muted:#a6afba;--rule:#343b44;--paper:#14171b;--raised:#1c2026;--good:#3ecf9f;"
    f"--quiet:#8d96a1;--warn:#f3c174;--warn-paper:#2b2315;--link:#7cbcf5;{_regimes(DARK_PALETTE)}"
)
_MARKS = "".join(f".r{k + 1} .mark{{color:var(--regime-{k + 1})}}\n" for k in range(len(PALETTE)))
_BARS = "".join(
    f".r{k + 1} .strip i{{background:var(--regime-{k + 1})}}.card.r{k + 1}{{border-left-color:var(--regime-{k + 1})}}\n"
    for k in range(len(PALETTE))
)

CSS = f""":root{{color-scheme:light dark;{_LIGHT}
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}}
@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
*{{box-sizing:border-box}}
html{{scroll-behavior:smooth}}
body{{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 var(--sans);font-variant-numeric:tabular-nums}}
h1{{font-size:1.05rem;font-weight:600;color:var(--muted);margin:0 0 .6rem;overflow-wrap:anywhere}}
h2{{font-size:1.3rem;line-height:1.3;margin:3rem 0 .8rem;padding-top:1rem;border-top:1px solid var(--rule)}}
h3{{font-size:1.05rem;margin:0 0 .4rem}}
p{{margin:.5rem 0;max-width:46rem}}
a{{color:var(--link)}}
.verdict{{font-size:1.55rem;line-height:1.35;font-weight:600;margin:.2rem 0 .6rem;text-wrap:balance;max-width:none}}
.diagnosis{{font-size:1.05rem}}
.small,figcaption{{color:var(--muted);font-size:.875rem}}
.facts{{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:1px;margin:1.4rem 0 0;padding:0;
background:var(--rule);border:1px solid var(--rule);border-radius:8px;overflow:hidden}}
.facts div{{background:var(--paper);padding:.7rem .85rem}}
.facts dt{{color:var(--muted);font-size:.8125rem}}
.facts dd{{margin:0;font-size:1.25rem;font-weight:600}}
.facts dd small{{display:block;overflow-wrap:anywhere;font-size:.8125rem;font-weight:400;color:var(--muted)}}
.warnings{{margin:1.4rem 0 0;padding:.8rem 1rem;background:var(--warn-paper);
border-left:4px solid var(--warn);border-radius:4px}}
.warnings h2{{font-size:1rem;margin:0;padding:0;border:0;color:var(--warn)}}
.warnings ul,.notes{{margin:.3rem 0 0;padding-left:1.2rem}}
nav ul{{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;list-style:none;margin:1.4rem 0 0;padding:0;font-size:.9rem}}
.card{{border:1px solid var(--rule);border-left:5px solid var(--rule);border-radius:8px;
padding:1rem 1.1rem;margin:1rem 0}}
.card h3{{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline}}
.card h3 small{{font-weight:400;color:var(--muted);font-size:.9rem}}
.rules{{margin:.5rem 0;padding:0;list-style:none}}
.rules li{{margin:.25rem 0}}
.rules b{{font-weight:600}}
.or{{color:var(--muted)}}
.state{{display:inline-block;padding:.05rem .55rem;border-radius:99px;
border:1px solid currentColor;font-size:.8125rem;white-space:nowrap}}
.on{{color:var(--good)}}
.off{{color:var(--muted)}}
.reach{{color:var(--muted);white-space:nowrap;font-size:.9em}}
.regime{{white-space:nowrap}}
.scroll{{overflow-x:auto;max-width:100%}}
.scroll:focus-visible{{outline:2px solid var(--link);outline-offset:2px}}
table{{border-collapse:collapse;width:100%;margin:.3rem 0;font-size:.9rem}}
th,td{{text-align:left;padding:.4rem .7rem .4rem 0;border-bottom:1px solid var(--rule);
vertical-align:top;font-weight:400}}
thead th{{color:var(--muted);font-size:.8125rem;vertical-align:bottom}}
tbody th{{font-weight:600;overflow-wrap:break-word}}
.why{{display:block;min-width:9rem}}
td:not(.num){{min-width:7.5rem}}
.num{{text-align:right;white-space:nowrap}}
thead .num{{white-space:normal}}
tr.total th,tr.total td{{border-top:2px solid var(--rule)}}
.strip{{display:block;position:relative;width:8rem;height:.6rem;margin:.45rem 0 0;
background:var(--raised);border:1px solid var(--rule);border-radius:3px}}
.strip i{{position:absolute;top:0;bottom:0;min-width:2px;opacity:.75}}
.strip b{{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}}
figure{{margin:1.2rem 0}}
.table{{margin:.6rem 0}}
.card .table{{margin-bottom:0}}
.picture svg{{display:block;width:100%;min-width:34rem;height:auto}}
.picture.narrow svg{{max-width:30rem;min-width:22rem}}
details{{margin:.6rem 0}}
summary{{cursor:pointer;color:var(--link)}}
footer{{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--rule);color:var(--muted);font-size:.875rem}}
sup{{line-height:0;font-size:.72em}}
{_MARKS}{_BARS}@media (max-width:40rem){{body{{padding:1.2rem .9rem 3rem}}.verdict{{font-size:1.25rem}}}}
@media print{{:root{{color-scheme:light;{_LIGHT}}}body{{max-width:none;padding:0;font-size:10pt}}nav{{display:none}}
.picture,tr,.warnings{{break-inside:avoid}}h2{{break-after:avoid}}.scroll{{overflow:visible}}
.picture svg{{min-width:0}}details::details-content{{content-visibility:visible;display:block;height:auto}}}}
"""
