# E6: events that a wait brings. Columns: curves.gp, and idle.
#   gnuplot -e "data='…/charts/batching.dat'; out='x.svg'" plots/batching.gp

load 'plots/style.gp'
stats data using (idle = strcol('idle'), 0) nooutput
eval heading(sprintf('Events a wake-up, %s idle connections beside', idle))
set xlabel 'active connections'
set ylabel 'events a wake-up'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'
