# E6: CPU time of the server for an event. Columns: curves.gp, and idle.
#   gnuplot -e "data='…/charts/event_cost.dat'; out='x.svg'" plots/event_cost.gp

load 'plots/style.gp'
stats data using (idle = strcol('idle'), 0) nooutput
eval heading(sprintf('CPU time an event, %s idle connections beside', idle))
set xlabel 'active connections'
set ylabel 'CPU time of the server an event, µs'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
