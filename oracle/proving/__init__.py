"""What `prove` can do besides: hold costs to budgets, choose by what changed, write formulas, speak of a geometry."""
