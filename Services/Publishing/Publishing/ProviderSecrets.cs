using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Publishing;

/// <summary>Section <c>Keys</c>.</summary>
internal sealed class ProviderSecretOptions : IValidatableObject
{
    /// <summary>Key of the providers' credentials: base64 of 32 bytes.</summary>
    public string? ProviderSecrets { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        Span<byte> key = stackalloc byte[33];
        if (!Convert.TryFromBase64String(ProviderSecrets ?? "", key, out var length) || length != 32)
        {
            yield return new ValidationResult("Keys:ProviderSecrets must be the base64 of 32 random bytes: make one with 'openssl rand -base64 32', and give the same to Publishing and Consumption.");
        }
    }
}

/// <summary>Data without its key does not start: credentials encrypted with another key could neither be read nor, unnoticed, be told from good ones.</summary>
internal sealed partial class ProviderSecretsCheck(IServiceScopeFactory scopes, ProviderSecretProtector protector, ILogger<ProviderSecretsCheck> logger) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        try
        {
            var other = await scope.ServiceProvider.GetRequiredService<PublishingDb>().Database
                .SqlQuery<string>($"""
                    SELECT secret->>'keyId' AS "Value" FROM versions WHERE secret->>'keyId' <> {protector.KeyId}
                    UNION ALL SELECT one->'secret'->>'keyId' FROM versions, jsonb_array_elements(credentials) AS one WHERE one->'secret'->>'keyId' <> {protector.KeyId} LIMIT 1
                    """).ToListAsync(cancellationToken).ConfigureAwait(false);
            if (other.Count > 0)
            {
                throw new InvalidOperationException($"The database holds credentials of providers that were encrypted with the key {other[0]}, but Keys:ProviderSecrets is the key {protector.KeyId}: give back the former key.");
            }
        }
        catch (PostgresException notMigrated) when (notMigrated.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn)
        {
            Log.Unchecked(logger, "the database is not migrated yet");
        }
        catch (NpgsqlException away) when (away is not PostgresException)
        {
            Log.Unchecked(logger, "the database cannot be reached");
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(6041, LogLevel.Warning, "Whether Keys:ProviderSecrets fits the stored credentials was not checked: {Reason}.")]
        public static partial void Unchecked(ILogger logger, string reason);
    }
}
