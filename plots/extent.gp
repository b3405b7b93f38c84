# What the columns of curves hold: the servers in the order in which they are drawn, and how far the axes go. `condition`
# chooses lines. Use: load 'plots/extent.gp'; eval extent_of('column("panel") == 1')
# Afterwards there are: drawn, with_hollow, with_bound (lists of servers), from_x, to_x, from_y, to_y (for logarithmic
# axes), most_y, end_server, end_x, end_y, and dodged(server), the factor that moves a server aside.

extent_of(condition) = 'present = ""; invalid = ""; bounded = ""; least_x = 1e300; most_x = 0; least_y = 1e300; '. \
    'most_y = 0; end_server = ""; '. \
    'stats data using ('.condition.' ? (present = present." ".strcol("server"), '. \
        'least_x = (column("x") < least_x ? column("x") : least_x), '. \
        'most_x = (column("x") > most_x ? column("x") : most_x), '. \
        'least_y = (column("low") > 0 && column("low") < least_y ? column("low") : least_y), '. \
        'most_y = (column("high") > most_y ? column("high") : most_y), '. \
        'column("disturbed") > 0 ? (invalid = invalid." ".strcol("server")) : "", '. \
        'column("bound") != 0 ? (bounded = bounded." ".strcol("server")) : "", '. \
        'column("end") == 1 ? (end_server = strcol("server"), end_x = column("x"), end_y = column("median")) : 0) : 0, '. \
        '0) nooutput; '. \
    not_empty('least_y', 'most_y').'; '. \
    'drawn = among(ordered, present); with_hollow = among(ordered, invalid); with_bound = among(ordered, bounded); '. \
    'from_x = least_x / 1.25; to_x = most_x * 1.25; '. \
    'from_y = least_y / 1.4; to_y = most_y * 1.5'
dodged(server) = dodge(position_in(drawn, server), words(drawn), from_x, to_x)
