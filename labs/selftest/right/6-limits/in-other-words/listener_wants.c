unsigned listener_wants(const struct listener *listener)
{
    bool rests = listener->resting_until_ns > 0;

    return rests ? NOTHING : READABLE;
}
