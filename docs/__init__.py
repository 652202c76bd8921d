"""Programs that print or write documents: the plan of the code, the model page, the README's tables and picture."""
