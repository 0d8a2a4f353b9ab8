"""What every lesson of the course builds on. Importing this is instant: heavy modules load on use.

    data → models → fc_to_conv, receptive_field → plotting, widgets → notebooks

Each part knows only the parts on its left.
"""
