"""What a wafer, a class, a mask, a defect and a prediction are: values, no input or output."""
