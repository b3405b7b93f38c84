# The response times over a run, one picture a server below each other. Columns:
#   server from to low high requests of unanswered    (a cell: seconds from, to; µs low, high; of: all that were due then)
# The colour is the share of the requests due in that part of the run. A framed cell holds requests without an answer.
#   gnuplot -e "data='…/charts/heat.dat'; out='x.svg'" plots/heat.gp

if (!exists('height')) height = 760
load 'plots/style.gp'

present = ''
least_y = 1e300
most_y = 0
most_x = 0
lost = 0
stats data using (present = present.' '.strcol('server'), \
    least_y = (column('low') > 0 && column('low') < least_y ? column('low') : least_y), \
    most_y = (column('high') > most_y ? column('high') : most_y), \
    most_x = (column('to') > most_x ? column('to') : most_x), \
    lost = lost + column('unanswered'), 0) nooutput
eval not_empty('least_y', 'most_y')
drawn = among(servers, present)

top = plain ? 0.85 : 1 - share(56)
bottom = plain ? 0.24 : share(below + 16)
each = (top - bottom) / words(drawn)

set xrange [0 : most_x]
set logscale y
set yrange [least_y / 1.1 : most_y * 1.1]
set logscale cb
set cbrange [0.005 : 1]
set palette defined (0 '#dfe8f2', 0.35 '#7fb0d8', 0.6 '#2f6ea5', 0.8 '#5b2a6e', 1 '#1b0a1e')
set colorbox horizontal user origin screen 0.35, screen (plain ? 0.14 : share(caption_pixels + 26)) size screen 0.4, screen share(9)
set cbtics ('1%%' 0.01, '10%%' 0.1, 'all' 1) offset 0, 0.4 font ',11'
set label 1006 'share of the requests due then' at screen 0.33, screen (plain ? 0.14 : share(caption_pixels + 30)) right font ',11'
unset key
set rmargin 3
set lmargin at screen 0.11
wide = most_y / least_y > 200
low(unused) = column('low') > 0 ? column('low') : column('high') / 2

set multiplot
do for [i=1:words(drawn)] {
    server = word(drawn, i)
    set tmargin at screen top - (i - 1) * each
    set bmargin at screen top - i * each + (plain ? 0.02 : share(24))
    last = i == words(drawn)
    set xlabel (last ? x_label : '')
    if (!last) { set format x '' } else { set format x '%g' }
    eval 'set ytics ('.log_tics('time', least_y / 1.1, most_y * 1.1).') font ",11"'
    set ylabel (i == int((words(drawn) + 1) / 2) ? y_label : '') offset 1, 0
    set label 1007 label(server) at graph 0, graph 1 left offset 0, 0.55 font ',13' front
    if (i > 1) { unset label 1002; unset label 1000; unset label 1006; unset colorbox }
    plot data using (only(server, column('from'))):(low(0)):'from':'to':(low(0)):'high':(column('requests') / column('of')) \
            with boxxyerror fs solid 1.0 noborder lc palette notitle, \
        data using (column('unanswered') > 0 ? only(server, column('from')) : NaN):(low(0)):'from':'to':(low(0)):'high' \
            with boxxyerror fs empty border lc rgb '#c0392b' lw 1.5 notitle
}
unset multiplot
