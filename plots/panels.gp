# Two figures of curves above each other, with one x axis: from the columns of curves.gp and `panel`, which is 1 for the
# upper and 2 for the lower one. The upper y axis begins at zero and counts; the lower one is logarithmic and holds times.
#   gnuplot -e "data='…/charts/headline.dat'; x_kind='count'; out='x.svg'" plots/panels.gp
#
#   upper_label, lower_label   of the two y axes

if (!exists('height')) height = 700
load 'plots/style.gp'
if (!exists('upper_label')) upper_label = ''
if (!exists('lower_label')) lower_label = ''
load 'plots/extent.gp'

eval extent_of('1 == 1')
all_drawn = drawn
from = from_x
to = to_x
dodged(server) = dodge(position_in(all_drawn, server), words(all_drawn), from, to)
in(panel, server, y) = strcol('server') eq server && column('panel') == panel ? y : NaN

top = plain ? 0.78 : 1 - share(setsize > 0 ? 112 : 94)
bottom = plain ? 0.2 : share(below)
gap = plain ? 0.06 : share(30)
middle = (top + bottom) / 2

set logscale x
set xrange [from : to]
mark_setsize = fd_setsize(from, to)
ends = ''

set multiplot
set ylabel offset 0, 0
do for [panel=1:2] {
    unset arrow 1000 # of the other panel
    unset arrow 1001
    eval extent_of('column("panel") == '.panel)
    if (end_server ne '') {
        set arrow 1000 from end_x * dodged(end_server), end_y rto character 0, character  1.1 nohead lw 3 \
            lc rgb colour(end_server) front
        set arrow 1001 from end_x * dodged(end_server), end_y rto character 0, character -1.1 nohead lw 3 \
            lc rgb colour(end_server) front
    }
    eval mark_setsize
    if (panel == 1) {
        set tmargin at screen top
        set bmargin at screen middle + gap / 2
        set yrange [0 : most_y * 1.08]
        set format y '%.0s%c'
        set ylabel upper_label
        set xlabel ''
        eval 'set xtics ('.log_tics('none', from, to).')'
    } else {
        unset label 1000
        unset label 1002
        unset label 1003
        unset key
        set label 1000 caption at screen (mouse ? 0.045 : 0.02), screen (plain ? 0.088 : share(caption_pixels - 8)) left font ',11' \
            tc rgb '#444444'
        set tmargin at screen middle - gap / 2
        set bmargin at screen bottom
        set logscale y
        set yrange [from_y : to_y]
        eval 'set ytics ('.log_tics('time', from_y, to_y).')'
        set ylabel lower_label
        set xlabel x_label
        eval 'set xtics ('.log_tics(x_kind, from, to).')'
    }
    if (panel == 1) { unset label 1000 }
    y_kind = panel == 1 ? 'count' : 'time'
    plot for [server in drawn] data using (in(panel, server, column('x')) * dodged(server)):'median':'low':'high' \
            with yerrorlines lc rgb colour(server) pt mark(server) dt dash(server) lw 2 ps 0.8 title label(server), \
        for [server in with_hollow] data \
            using (in(panel, server, column('disturbed') > 0 ? column('x') : NaN) * dodged(server)):'median' \
            with points pt (plain ? 15 : mark(server)) ps 0.45 lc rgb 'white' notitle, \
        for [server in with_bound] data using (in(panel, server, column('x')) * dodged(server)): \
            (column('bound') != 0 ? column('median') : NaN):(bound_text(column('bound'))) \
            with labels offset character 0, 0.75 font ',12' tc rgb colour(server) notitle, \
        data using (column('panel') == panel ? column('x') * dodged(strcol('server')) : NaN):'median': \
            (hover(strcol('server'), sprintf('%s at %s (%s to %s, %d runs)%s', \
                bound_text(column('bound')).text(y_kind, column('median')), text('count', column('x')), \
                text(y_kind, column('low')), text(y_kind, column('high')), column('runs'), \
                column('disturbed') == 0 ? '' : sprintf(', %d disturbed', column('disturbed'))))) \
            with labels hypertext point pt (plain ? 0 : 7) ps 1.5 lc rgb '#ff000000' font ',11' notitle
}
unset multiplot
