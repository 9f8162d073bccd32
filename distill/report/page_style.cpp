// The style sheet of the report. The palette is Okabe and Ito's (2008), which stays apart under the
// common colour-vision deficiencies, lightened for the dark scheme and darkened where needed for
// contrast on white.
#include "distill/report/page.h"

namespace athanor::distill::report {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#f7f4ef;--card:#fffdfa;--ink:#221c17;--muted:#6b6259;--rule:#e5ddd2;
--grid:#ece5db;--accent:#c2410c;--glow:#fff1e0;--s0:#0072b2;--s1:#d55e00;--s2:#00875f;--s3:#b5588f;
--s4:#3d9bd1;--s5:#c98a00;--s6:#8a8178;--s7:#b3261e;--shadow:0 1px 2px #2a1a0a14,0 4px 16px #2a1a0a0d}
@media (prefers-color-scheme:dark){:root{--bg:#16130f;--card:#1f1b16;--ink:#efe8df;--muted:#a89d90;
--rule:#38312a;--grid:#2e2822;--accent:#ff8f4a;--glow:#3a2412;--s0:#5db4ea;--s1:#ff8a47;--s2:#3fcf9d;
--s3:#e59cc6;--s4:#9ad6f7;--s5:#f3bd4b;--s6:#9d948a;--s7:#ff7b72;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1080px;margin:0 auto;padding:28px 20px 64px}
header.top{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:4px 20px}
.brand{color:var(--accent);font-weight:700;letter-spacing:.08em;font-size:.8rem;text-transform:uppercase}
.facts{color:var(--muted);font-size:.85rem}
h1{font-size:clamp(1.5rem,3.6vw,2.3rem);line-height:1.18;margin:.35em 0 .6em;letter-spacing:-.015em;
max-width:26em;text-wrap:balance}
h1 b{color:var(--accent);font-weight:inherit}
h2{font-size:1.35rem;margin:2.4em 0 .2em;letter-spacing:-.01em}
h3{font-size:1rem;margin:0 0 .3em}
a{color:var(--accent)}
nav{font-size:.88rem;margin:1.5em 0 0;display:flex;flex-wrap:wrap;gap:4px 18px}
.lead{color:var(--muted);margin:.1em 0 1em;max-width:48em}
.panel,figure,.stage,.notes{background:var(--card);border:1px solid var(--rule);border-radius:12px;
box-shadow:var(--shadow)}
.panel{padding:6px 18px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.55em .7em;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
tr:last-child>*{border-bottom:0}
thead th{font-size:.78rem;font-weight:600;color:var(--muted);text-transform:uppercase;letter-spacing:.04em}
th:first-child{text-align:left}
tbody th{font-weight:500}
tr.ours{background:var(--glow)}
tr.ours th,tr.ours td{font-weight:700}
td.meter{width:34%;min-width:130px}
.meter span{display:flex;align-items:center;gap:.6em;justify-content:flex-end}
.meter i{display:block;height:10px;border-radius:5px;background:var(--k);flex:0 0 auto}
.meter u{flex:1;text-decoration:none;display:block;background:var(--grid);border-radius:5px}
.up{color:var(--s2)}.down{color:var(--s7)}
.stages{display:grid;grid-template-columns:repeat(3,1fr);gap:16px;margin:18px 0}
.stage{padding:16px 18px 12px;display:flex;flex-direction:column}
.stage h3 span{display:inline-block;width:1.6em;height:1.6em;line-height:1.6em;text-align:center;
border-radius:50%;background:var(--accent);color:var(--card);font-size:.85em;margin-right:.5em}
.stage p{margin:.2em 0 .8em;font-size:.95rem;flex:1}
.stage svg{margin-top:auto}
.notes{padding:12px 18px;border-left:5px solid var(--s5)}
.notes ul{margin:.2em 0;padding-left:1.2em;font-size:.95rem}
.grid{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:16px;margin:14px 0}
.grid.three{grid-template-columns:repeat(3,minmax(0,1fr))}
figure{margin:0;padding:14px 16px 10px;min-width:0}
figure.wide{grid-column:1/-1}
figcaption{font-weight:600;font-size:.95rem;margin-bottom:.3em;overflow-wrap:anywhere}
.says{margin:.3em 0 .2em;font-size:.88rem;color:var(--muted)}
.legend{list-style:none;margin:.1em 0 .5em;padding:0;display:flex;flex-wrap:wrap;gap:2px 14px;
font-size:.8rem;color:var(--muted)}
.legend i{display:inline-block;margin-right:.45em;vertical-align:middle}
.legend .box{width:11px;height:11px;border-radius:3px;background:var(--k)}
.legend .rule{width:20px;border-top:3px solid var(--k)}
.legend .dashed{border-top-style:dashed}
.absent{border:1px dashed var(--rule);border-radius:12px;padding:14px 18px;color:var(--muted)}
footer{margin-top:3em;color:var(--muted);font-size:.85rem;border-top:1px solid var(--rule);padding-top:1em}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
fill:var(--ink)}
svg .tl{fill:var(--muted);font-size:11.5px}
svg .al{fill:var(--muted);font-size:11.5px;font-weight:600}
svg .strong{fill:var(--ink);font-weight:700}
svg .big{font-size:15px;font-weight:700}
svg .on-bar{fill:var(--card);font-weight:600}
svg .mid{text-anchor:middle}
svg .end{text-anchor:end}
path.grid{stroke:var(--grid);fill:none}
path.axis,path.tick{stroke:var(--muted);fill:none;stroke-width:1}
.k0{--k:var(--s0)}.k1{--k:var(--s1)}.k2{--k:var(--s2)}.k3{--k:var(--s3)}
.k4{--k:var(--s4)}.k5{--k:var(--s5)}.k6{--k:var(--s6)}.k7{--k:var(--s7)}
path.line{stroke:var(--k);fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
path.bold{stroke-width:2.8}
path.dash{stroke-dasharray:5 4}
path.band{fill:var(--k);fill-opacity:.18}
path.area{fill:var(--k);fill-opacity:.82;stroke:var(--card);stroke-width:.8}
path.ridge{fill:var(--k);fill-opacity:.62;stroke:var(--k);stroke-width:1}
rect.bar{fill:var(--k)}
circle.dot{fill:var(--k)}
rect.span{fill:var(--s7);fill-opacity:.16}
path.mark{fill:var(--s7)}
rect.track{fill:var(--grid)}
.heat rect.right{fill:var(--s0)}
.heat rect.wrong{fill:var(--s1)}
.heat .cell{font-size:11px}
.heat .on{fill:var(--card);font-weight:600}
.graph .edge{fill:none;stroke:var(--muted)}
.graph .w0{stroke-opacity:.1;stroke-width:.6}
.graph .w1{stroke-opacity:.2;stroke-width:.7}
.graph .w2{stroke-opacity:.34;stroke-width:.8}
.graph .node{fill:var(--k);fill-opacity:.88;stroke:var(--card);stroke-width:.5}
.graph .noise{fill:none;stroke:var(--muted);stroke-width:.9;stroke-opacity:.65}
.graph .node-label{font-size:14px;font-weight:700;paint-order:stroke;stroke:var(--card);
stroke-width:4px;stroke-linejoin:round}
@media (max-width:820px){.grid,.grid.three,.stages{grid-template-columns:minmax(0,1fr)}}
@media (min-width:560px) and (max-width:820px){.grid.three{grid-template-columns:repeat(2,minmax(0,1fr))}}
@media (max-width:560px){main{padding:18px 12px 48px}.minor{display:none}
th,td{padding:.5em .28em;white-space:normal}thead th{font-size:.66rem;letter-spacing:0}
.panel{padding:4px 8px;font-size:.88rem}td.meter{width:auto;min-width:0}.meter u{display:none}
figure{padding:12px 10px 8px}figure.wide{overflow-x:auto}.wide>svg:not(.graph){min-width:720px}
svg text{font-size:13px}svg .tl,svg .al{font-size:12.5px}
.graph .node-label{font-size:24px;stroke-width:6px}}
)css";

}  // namespace

std::string_view page_style() { return kStyle; }

}  // namespace athanor::distill::report
