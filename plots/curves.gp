# Draws one curve a server from the columns  server x median low high runs valid end  (rows of a server together,
# x ascending). The x axis is logarithmic, and so is the y axis if logarithmic=1; if not, it begins at zero.
#   gnuplot -e "data='…/charts/idle_p99.dat'; logarithmic=1; out='x.svg'" plots/curves.gp
#
# low and high are drawn as error bars, valid 0 as a hollow mark. end 1: the server takes no more descriptors, and the
# figure says so: nobody must take this end for points that were not measured, or for zero.

load 'plots/style.gp'
if (!exists('logarithmic')) logarithmic = 0

present = ''
least_x = 1e300
most_x = 0
least_y = 1e300
invalid = ''
end_server = ''
stats data using (present = present.' '.strcol('server'), \
    least_x = (column('x') < least_x ? column('x') : least_x), \
    most_x = (column('x') > most_x ? column('x') : most_x), \
    least_y = (column('low') > 0 && column('low') < least_y ? column('low') : least_y), \
    column('valid') == 0 ? (invalid = invalid.' '.strcol('server')) : '', \
    column('end') == 1 ? (end_server = strcol('server'), end_x = column('x'), end_y = column('median')) : 0, \
    0) nooutput

drawn = ''
with_hollow = ''
do for [server in servers] {
    if (strstrt(present, server)) { drawn = drawn.' '.server }
    if (strstrt(invalid, server)) { with_hollow = with_hollow.' '.server }
}

set logscale x
set xrange [least_x / 1.3 : most_x * 1.3]
# The logarithmic axis leaves room below the curves for the words at the end of select's curve.
if (logarithmic) { set logscale y; set yrange [10 ** floor(log10(least_y / 2.5)) : *] } else { set yrange [0:*] }

if (end_server ne '') {
    set arrow 1000 from end_x, end_y rto character 0, character  1.1 nohead lw 3 lc rgb colour(end_server) front
    set arrow 1001 from end_x, end_y rto character 0, character -1.1 nohead lw 3 lc rgb colour(end_server) front
    set arrow 1002 from end_x, end_y to end_x, graph 0 nohead lw 1 dt 3 lc rgb '#8a5f00' back
    left_half = end_x * end_x < least_x * most_x
    if (left_half) { set label 1001 left offset character 0.6, 0 } else { set label 1001 right offset character -0.6, 0 }
    set label 1001 'next is beyond FD_SETSIZE' at end_x, graph 0.05 font ',10' tc rgb '#8a5f00' front
}

plot for [server in drawn] data using (only(server, column('x'))):'median':'low':'high' \
        with yerrorlines lc rgb colour(server) pt mark(server) dt dash(server) lw 2 ps 1 title label(server), \
    for [server in with_hollow] data using (hollow(server, column('x'))):'median' \
        with points pt (plain ? 15 : mark(server)) ps 0.55 lc rgb 'white' notitle, \
    data using 'x':'median':(hover(strcol('server'), sprintf('%g at %g (%g to %g, %d runs)%s', \
            column('median'), column('x'), column('low'), column('high'), column('runs'), \
            column('valid') == 1 ? '' : ', not VALID'))) \
        with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
