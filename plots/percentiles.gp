# The whole distribution of the response time: how long the slowest tenth, hundredth, thousandth and so on waited.
# Columns: server x y connections rate runs (x: 1/(1-q) of the quantile q, y: µs; rows of a server together).
#   gnuplot -e "data='…/charts/percentiles.dat'; out='x.svg'" plots/percentiles.gp

load 'plots/style.gp'
present = ''
stats data using (present = present.' '.strcol('server'), 0) nooutput
set logscale xy
set xtics ('0%%' 1, '50%%' 2, '90%%' 10, '99%%' 100, '99.9%%' 1e3, '99.99%%' 1e4, '99.999%%' 1e5, '99.9999%%' 1e6)

drawn = ''
do for [server in servers] { if (strstrt(present, server)) { drawn = drawn.' '.server } }

plot for [server in drawn] data using (only(server, column('x'))):'y' \
        with linespoints pt mark(server) pi 8 ps 0.8 lc rgb colour(server) dt dash(server) lw 2 title label(server)
