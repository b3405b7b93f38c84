# Draws the rate of each way of epoll_oneshot by the work on a message, from the columns
#   server x median low high runs disturbed label crossing crossing_y    (lines of a way together, x ascending)
#   gnuplot -e "data='…/charts/work.dat'; out='x.svg'" plots/work.gp
#
# Both axes are logarithmic. crossing and crossing_y: where the way becomes as fast as one loop; a circle says so. 0: it
# never does. disturbed: in so many of the runs the machine was disturbed; then the mark is hollow.

load 'plots/style.gp'

array way[3] = ['one_loop', 'pool', 'one_for_all']
array tint[3] = ['#0072B2', '#D55E00', '#009E73']
array sign[3] = [9, 7, 5]
array name[3]
only(i, value) = strcol('server') eq way[i] ? value : NaN
do for [i=1:3] {
    name[i] = ''
    stats data using (strcol('server') eq way[i] ? (name[i] = strcol('label'), 0) : 0) nooutput
}
stats data using 'x' name 'x' nooutput
stats data using 'low' name 'low' nooutput
stats data using 'high' name 'high' nooutput
from_x = x_min / 1.15; to_x = x_max * 1.15
from_y = low_min / 1.3; to_y = high_max * 1.3

set logscale xy
set xrange [from_x : to_x]
set yrange [from_y : to_y]
eval 'set xtics ('.log_tics('plain', from_x, to_x).')'
eval 'set ytics ('.log_tics('count', from_y, to_y).')'
crosses(i) = strcol('server') eq way[i] && column('crossing') > 0

plot for [i=1:3] data using (only(i, column('x'))):'median':'low':'high' with yerrorlines \
        lc rgb tint[i] pt sign[i] lw 2 ps 0.8 title name[i], \
    for [i=1:3] data using (only(i, column('x'))):(column('disturbed') > 0 ? column('median') : NaN) \
        with points pt (plain ? 15 : sign[i]) ps 0.45 lc rgb 'white' notitle, \
    for [i=1:3] data using (crosses(i) ? column('crossing') : NaN):'crossing_y' with points pt 6 ps 2.4 lw 2 \
        lc rgb tint[i] notitle, \
    for [i=2:3] data using (crosses(i) && column('x') == x_max ? column('crossing') : NaN):'crossing_y': \
        (sprintf('as fast at %.0f µs', column('crossing'))) with labels left offset 1, i == 2 ? 1 : -2.2 font ',12' \
        tc rgb tint[i] notitle
