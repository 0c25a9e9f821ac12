def main() -> int:
    print("not yet")
    return 0
