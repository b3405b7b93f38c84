# The cost model T = a + b·watched + c·ready, fitted for each API: what it predicts against what was counted.
# Columns: server x y watched ready (x counted, y predicted, instructions).
#   gnuplot -e "data='…/charts/model.dat'; out='x.svg'" plots/model.gp

load 'plots/style.gp'
set logscale xy

present = ''
least = 1e300
most = 0
stats data using (present = present.' '.strcol('server'), \
    least = (column('x') < least ? column('x') : least), \
    least = (column('y') > 0 && column('y') < least ? column('y') : least), \
    most = (column('y') > most ? column('y') : most), \
    most = (column('x') > most ? column('x') : most), 0) nooutput
eval not_empty('least', 'most')
drawn = among(ordered, present)
set xrange [least / 1.5 : most * 1.5]
set yrange [least / 1.5 : most * 1.5]
eval 'set xtics ('.log_tics(x_kind, least / 1.5, most * 1.5).')'
eval 'set ytics ('.log_tics(y_kind, least / 1.5, most * 1.5).')'

plot x with lines lc rgb '#888888' dt 3 title 'as counted', \
    for [server in drawn] data using (only(server, column('x'))):(column('y') > 0 ? column('y') : NaN) \
        with points pt mark(server) lc rgb colour(server) ps 1 title label(server), \
    data using 'x':(column('y') > 0 ? column('y') : NaN): \
        (hover(strcol('server'), sprintf('%g of %g ready, counted %s, predicted %s', \
            column('ready'), column('watched'), text(x_kind, column('x')), text(y_kind, column('y'))))) \
        with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
