namespace LlmMarketplace.Embedded;

/// <summary>Where a private PostgreSQL lives and how it runs.</summary>
public sealed record EmbeddedPostgresOptions
{
    /// <summary>The folder that holds the cluster, its superuser's password and its log. Created if need be; one instance at a time.</summary>
    public required string Directory { get; init; }

    /// <summary>The loopback port; 0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The folder with <c>postgres</c> and <c>initdb</c>; null looks in the usual places (<see cref="PostgresBinaries"/>).</summary>
    public string? Binaries { get; init; }

    /// <summary>False gives up surviving a power cut (fsync off) for speed: for tests only.</summary>
    public bool Durable { get; init; } = true;

    /// <summary>How many connections it allows.</summary>
    public int MaxConnections { get; init; } = 200;

    /// <summary>How long it may take to be ready; recovery after a crash takes longest.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
