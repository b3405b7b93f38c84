# Draws one mark a run and, for each server, a line through the medians, from the columns
#   server x y median repeat disturbed    (rows of a server together, x ascending)
# Both axes are logarithmic. A run during which something else disturbed the machine is hollow.
#   gnuplot -e "data='…/charts/batching.dat'; x_kind='count'; y_kind='count'; out='x.svg'" plots/runs.gp

load 'plots/style.gp'

present = ''
invalid = ''
least_x = 1e300
most_x = 0
least_y = 1e300
most_y = 0
stats data using (present = present.' '.strcol('server'), \
    least_x = (column('x') < least_x ? column('x') : least_x), \
    most_x = (column('x') > most_x ? column('x') : most_x), \
    least_y = (column('y') > 0 && column('y') < least_y ? column('y') : least_y), \
    most_y = (column('y') > most_y ? column('y') : most_y), \
    column('disturbed') > 0 ? (invalid = invalid.' '.strcol('server')) : '', 0) nooutput
eval not_empty('least_y', 'most_y')
drawn = among(ordered, present)
with_hollow = among(ordered, invalid)
from_x = least_x / 1.4
to_x = most_x * 1.4
dodged(server) = dodge(2 * position_in(drawn, server), 2 * words(drawn), from_x, to_x)

set logscale xy
set xrange [from_x : to_x]
set yrange [least_y / 1.4 : most_y * 1.5]
eval 'set xtics ('.log_tics(x_kind, from_x, to_x).')'
eval 'set ytics ('.log_tics(y_kind, least_y / 1.4, most_y * 1.5).')'
eval fd_setsize(from_x, to_x)

plot for [server in drawn] data using (only(server, column('x')) * dodged(server)):'median' \
        with lines lc rgb colour(server) dt dash(server) lw 1 notitle, \
    for [server in drawn] data using (only(server, column('x')) * dodged(server)):'y' \
        with points lc rgb colour(server) pt mark(server) ps 0.8 title label(server), \
    for [server in with_hollow] data using (hollow(server, column('x')) * dodged(server)):'y' \
        with points pt (plain ? 15 : mark(server)) ps 0.45 lc rgb 'white' notitle, \
    data using (column('x') * dodged(strcol('server'))):'y':(hover(strcol('server'), sprintf('%s at %s, run %d%s', \
            text(y_kind, column('y')), text(x_kind, column('x')), column('repeat'), \
            column('disturbed') == 0 ? '' : ', disturbed'))) \
        with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
