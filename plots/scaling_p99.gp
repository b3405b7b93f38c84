# E1: p99 of the service time when every connection is active. Columns: curves.gp.
#   gnuplot -e "data='…/charts/scaling_p99.dat'; out='x.svg'" plots/scaling_p99.gp

load 'plots/style.gp'
eval heading('p99 latency when all connections are active')
set xlabel 'connections, all active'
set ylabel 'p99 service time, µs'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
