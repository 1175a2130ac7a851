"""What lies in a model's folder, and how far each fold has come."""
