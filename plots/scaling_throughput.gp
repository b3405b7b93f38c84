# E1: replies a second when every connection is active. Columns: curves.gp.
#   gnuplot -e "data='…/charts/scaling_throughput.dat'; out='x.svg'" plots/scaling_throughput.gp

load 'plots/style.gp'
eval heading('Throughput when all connections are active')
set xlabel 'connections, all active'
set ylabel 'replies a second'
set format x counts
set format y counts
set yrange [0:*]
load 'plots/curves.gp'
