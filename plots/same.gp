# What poll pays for a descriptor: N sockets, and N duplicates of one socket, whose memory stays in the caches.
# Columns: of x median low high runs (of: sockets or duplicates; ns for each descriptor).
#   gnuplot -e "data='…/charts/same_sockets.dat'; out='x.svg'" plots/same.gp

load 'plots/style.gp'
set logscale x

least_x = 1e300
most_x = 0
least_y = 0
most_y = 0
stats data using (least_x = (column('x') < least_x ? column('x') : least_x), \
    most_x = (column('x') > most_x ? column('x') : most_x), \
    most_y = (column('high') > most_y ? column('high') : most_y), 0) nooutput
eval not_empty('least_y', 'most_y')
set yrange [0 : most_y * 1.08]
set xrange [least_x / 1.3 : most_x * 1.3]

title_of(of) = of eq 'sockets' ? 'N sockets' : 'N duplicates of one socket'
dash_of(of) = of eq 'sockets' ? 1 : 2
only_of(of, x) = strcol('of') eq of ? x : NaN
plot for [of in 'sockets duplicates'] data using (only_of(of, column('x'))):'median':'low':'high' \
        with yerrorlines lc rgb colour('poll_srv') pt (of eq 'sockets' ? mark('poll_srv') : 6) \
        dt dash_of(of) lw 2 ps 1 title title_of(of), \
    data using 'x':'median':(hover(title_of(strcol('of')), sprintf('%.3g ns at %g (%.3g to %.3g, %d runs)', \
            column('median'), column('x'), column('low'), column('high'), column('runs')))) \
        with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
