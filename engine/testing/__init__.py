"""What exists so that tests can make the engine fail at a chosen place. It costs nothing while no test asks for it."""
