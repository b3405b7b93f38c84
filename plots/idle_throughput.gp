# E2: replies a second of a few active connections among idle ones. Columns: curves.gp, and active.
#   gnuplot -e "data='…/charts/idle_throughput.dat'; out='x.svg'" plots/idle_throughput.gp

load 'plots/style.gp'
stats data using (active = strcol('active'), 0) nooutput
eval heading(sprintf('Throughput with %s active connections among N idle ones', active))
set xlabel sprintf('connections: %s active, the others idle', active)
set ylabel 'replies a second'
set format x counts
set format y counts
set yrange [0:*]
load 'plots/curves.gp'
