# The whole distribution of the response time: how long the slowest tenth, hundredth, thousandth and so on waited.
# Columns: server x y connections rate runs n (x: 1/(1-q) of the quantile q, y: µs; rows of a server together).
#   gnuplot -e "data='…/charts/percentiles.dat'; y_kind='time'; out='x.svg'" plots/percentiles.gp

load 'plots/style.gp'
present = ''
least_y = 1e300
most_y = 0
most_x = 0
stats data using (present = present.' '.strcol('server'), \
    least_y = (column('y') > 0 && column('y') < least_y ? column('y') : least_y), \
    most_y = (column('y') > most_y ? column('y') : most_y), \
    most_x = (column('x') > most_x ? column('x') : most_x), 0) nooutput
eval not_empty('least_y', 'most_y')
set logscale xy
set xrange [1 : most_x * 1.2]
set yrange [least_y / 1.3 : most_y * 1.5]
set xtics ('0%%' 1, '50%%' 2, '90%%' 10, '99%%' 100, '99.9%%' 1e3, '99.99%%' 1e4, '99.999%%' 1e5, '99.9999%%' 1e6)
eval 'set ytics ('.log_tics(y_kind, least_y / 1.3, most_y * 1.5).')'

drawn = among(ordered, present)
plot for [server in drawn] data using (only(server, column('x'))):'y' \
        with linespoints pt mark(server) pi 8 ps 0.8 lc rgb colour(server) dt dash(server) lw 2 title label(server)
