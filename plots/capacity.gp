# E3: the highest rate that keeps p99 of the response time under a limit. Columns: curves.gp, and limit (µs).
#   gnuplot -e "data='…/charts/capacity.dat'; out='x.svg'" plots/capacity.gp

load 'plots/style.gp'
stats data using (limit = strcol('limit'), 0) nooutput
eval heading(sprintf('Highest rate with p99 under %g ms', real(limit) / 1000))
set xlabel 'connections, all active'
set ylabel 'requests a second'
set format x counts
set format y counts
set yrange [0:*]
load 'plots/curves.gp'
