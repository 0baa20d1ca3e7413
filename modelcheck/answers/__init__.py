"""What a classifier answers, whatever runs it: to the panel, to exchanged pictures, stickers and another's maps.

Forward passes alone: nothing here looks into a network, and nothing imports TensorFlow.
"""
