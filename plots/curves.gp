# Draws one curve a server from the columns  server x median low high runs bound disturbed end  (rows of a server
# together, x ascending). The x axis is logarithmic, and so is the y axis if logarithmic=1; if not, it begins at zero.
#   gnuplot -e "data='…/charts/idle_p99.dat'; logarithmic=1; y_kind='time'; out='x.svg'" plots/curves.gp
#
# low and high are drawn as error bars. bound 1 gets a ≥, -1 a ≤: the client was the limit. disturbed: in so many of the
# runs the machine was disturbed; then the mark is hollow. end 1: the server takes no more descriptors, and a bar across
# its curve says so: nobody must take this end for points that were not measured, or for zero.
#
#   slope_of   a server: a line of slope 1 begins at its first point
#   limit      a horizontal line at this y, and what it says: limit_text

load 'plots/style.gp'
if (!exists('logarithmic')) logarithmic = 0
if (!exists('slope_of')) slope_of = ''
if (!exists('limit')) limit = 0

load 'plots/extent.gp'
eval extent_of('1 == 1')

guide_x = NaN
stats data using (strcol('server') eq slope_of && guide_x != guide_x ? \
    (guide_x = column('x'), guide_y = column('median')) : 0, 0) nooutput

set logscale x
set xrange [from_x : to_x]
eval 'set xtics ('.log_tics(x_kind, from_x, to_x).')'
if (logarithmic) {
    set logscale y
    set yrange [from_y : to_y]
    eval 'set ytics ('.log_tics(y_kind, from_y, to_y).')'
} else {
    set yrange [0 : most_y * 1.08]
    set format y y_kind eq 'time' ? '%g µs' : y_kind eq 'count' ? '%.0s%c' : '%g'
}
eval fd_setsize(from_x, to_x)

if (end_server ne '') {
    set arrow 1000 from end_x * dodged(end_server), end_y rto character 0, character  1.1 nohead lw 3 \
        lc rgb colour(end_server) front
    set arrow 1001 from end_x * dodged(end_server), end_y rto character 0, character -1.1 nohead lw 3 \
        lc rgb colour(end_server) front
}
if (guide_x == guide_x) {
    guide_end = to_x / 1.05 * guide_y / guide_x < to_y ? to_x / 1.05 : to_y * guide_x / guide_y
    set arrow 1004 from guide_x, guide_y to guide_end, guide_y * guide_end / guide_x nohead lw 1.5 dt 2 lc rgb '#444444' back
    set label 1004 'slope 1' at guide_end / 1.1, guide_y * guide_end / 1.1 / guide_x right offset 1, -0.9 \
        font ',12' tc rgb '#444444'
}
if (limit > 0) {
    set arrow 1005 from graph 0, first limit to graph 1, first limit nohead lw 1.2 dt 3 lc rgb '#444444' back
    set label 1005 limit_text at graph 0.01, first limit left offset 0, 0.5 font ',12' tc rgb '#444444'
}

plot for [server in drawn] data using (only(server, column('x')) * dodged(server)):'median':'low':'high' \
        with yerrorlines lc rgb colour(server) pt mark(server) dt dash(server) lw 2 ps 0.8 title label(server), \
    for [server in with_hollow] data using (hollow(server, column('x')) * dodged(server)):'median' \
        with points pt (plain ? 15 : mark(server)) ps 0.45 lc rgb 'white' notitle, \
    for [server in with_bound] data using (only(server, column('x')) * dodged(server)): \
        (column('bound') != 0 ? column('median') : NaN):(bound_text(column('bound'))) \
        with labels offset character 0, 0.75 font ',12' tc rgb colour(server) notitle, \
    data using (column('x') * dodged(strcol('server'))):'median':(hover(strcol('server'), sprintf('%s at %s (%s to %s, %d runs)%s', \
            bound_text(column('bound')).text(y_kind, column('median')), text(x_kind, column('x')), \
            text(y_kind, column('low')), text(y_kind, column('high')), column('runs'), \
            column('disturbed') == 0 ? '' : sprintf(', %d disturbed', column('disturbed'))))) \
        with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
