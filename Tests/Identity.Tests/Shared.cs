using LlmMarketplace.Identity.Tests;
using LlmMarketplace.Servers;

[assembly: AssemblyFixture(typeof(SharedIdentity))]

namespace LlmMarketplace.Identity.Tests;

/// <summary>One Identity for the tests that do not mind others beside them; each makes its own organisations and users.</summary>
public sealed class SharedIdentity : IAsyncDisposable
{
    /// <summary>For tests that need an Identity of their own.</summary>
    public PostgresServer Postgres { get; } = new();

    private readonly SemaphoreSlim turn = new(1);
    private IdentityApp? app;

    public async Task<IdentityApp> GetAsync()
    {
        await turn.WaitAsync();
        try
        {
            return app ??= await IdentityApp.StartAsync(Postgres);
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (app is not null)
        {
            await app.DisposeAsync();
        }

        await Postgres.DisposeAsync();
        turn.Dispose();
    }
}

/// <summary>Names that no other test uses.</summary>
internal static class Unique
{
    private static int count;

    public static string Slug(string prefix = "org") => $"{prefix}-{Interlocked.Increment(ref count)}";

    public static string Email() => $"user{Interlocked.Increment(ref count)}@people.test";
}
