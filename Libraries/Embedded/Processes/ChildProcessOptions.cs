namespace LlmMarketplace.Embedded;

/// <summary>What to start, and how.</summary>
public sealed record ChildProcessOptions
{
    /// <summary>A path, or a name looked for in PATH.</summary>
    public required string FileName { get; init; }

    /// <summary>Its arguments, unquoted.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Where it starts; the root folder unless given, since ours may be closed to it.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>Variables to add to our environment, or (null) to take away.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>What it is sent when this process dies.</summary>
    public ProcessSignal DeathSignal { get; init; } = ProcessSignal.Kill;

    /// <summary>Gets every line that it writes to standard output or standard error; called from several threads, one at a time.</summary>
    public Action<string>? OnLine { get; init; }

    internal ServerAccount? Account { get; init; }

    internal string? Capability { get; init; }
}
