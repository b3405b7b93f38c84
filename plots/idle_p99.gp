# E2: p99 of the service time of a few active connections among idle ones. Columns: curves.gp, and active.
#   gnuplot -e "data='…/charts/idle_p99.dat'; out='x.svg'" plots/idle_p99.gp

load 'plots/style.gp'
stats data using (active = strcol('active'), 0) nooutput
eval heading(sprintf('p99 latency with %s active connections among N idle ones', active))
set xlabel sprintf('connections: %s active, the others idle', active)
set ylabel 'p99 service time, µs'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
