using System.Data.Common;
using Npgsql;

namespace LlmMarketplace.Messaging.Consuming;

/// <summary>A handler failed by its own fault: tried again, then put aside.</summary>
internal sealed class HandlerFailedException(Exception cause) : Exception(cause.Message, cause);

/// <summary>Tells a handler's fault from a database that is away; the latter is waited for without end.</summary>
internal static class Failures
{
    /// <summary>Whether trying again later may help without anybody mending anything.</summary>
    public static bool IsTransient(Exception failed) =>
        failed is DbException { IsTransient: true }
        || failed is PostgresException { SqlState: PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.ReadOnlySqlTransaction }
        || (failed.InnerException is { } inner && IsTransient(inner));

    /// <summary>Whether a commit was refused for what was written (SQLSTATE class 23, integrity constraint violation).</summary>
    public static bool IsRefusal(PostgresException failed) => failed.SqlState.StartsWith("23", StringComparison.Ordinal);
}
