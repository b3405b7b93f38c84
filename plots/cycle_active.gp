# E4: wait, scan and read, by how many of the descriptors are ready. Columns: curves.gp (x: percent), and watched.
#   gnuplot -e "data='…/charts/cycle_active.dat'; out='x.svg'" plots/cycle_active.gp

load 'plots/style.gp'
stats data using (watched = strcol('watched'), 0) nooutput
eval heading(sprintf('Wait, scan and read, %s descriptors watched', watched))
set xlabel 'ready, % of the descriptors'
set ylabel 'time of the whole cycle, µs'
set format x times
set format y times
logarithmic = 1
load 'plots/curves.gp'
