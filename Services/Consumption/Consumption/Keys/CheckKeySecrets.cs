using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>Data without its key refuses to start: keys and credentials that nothing here can read would fail every call, one by one.</summary>
internal sealed class CheckKeySecrets(NpgsqlDataSource database, ApiKeyHasher hasher, ProviderSecretProtector protector) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await RefuseAsync(
            "SELECT hash_key_id FROM keys WHERE hash_key_id <> $1 AND revoked_at IS NULL LIMIT 1", hasher.KeyId, "Keys:ApiKeyHmac", "API keys in the database were made with another secret", cancellationToken);
        await RefuseAsync(
            """
            SELECT secret ->> 'keyId' FROM listings, jsonb_array_elements(state -> 'versions') AS version,
                LATERAL (SELECT version -> 'secret' UNION ALL SELECT one -> 'secret' FROM jsonb_path_query(version, '$.credentials[*]') AS one) AS secrets (secret)
            WHERE secret ->> 'keyId' <> $1 AND version ->> 'status' IN ('active', 'deprecated', 'suspended') LIMIT 1
            """,
            protector.KeyId,
            "Keys:ProviderSecrets",
            "providers' credentials in the database were encrypted with another key",
            cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task RefuseAsync(string sql, string mine, string setting, string what, CancellationToken cancellationToken)
    {
        await using var other = database.CreateCommand(sql);
        other.Parameters.Add(new NpgsqlParameter { Value = mine });
        if (await other.ExecuteScalarAsync(cancellationToken) is string found)
        {
            throw new InvalidOperationException($"{setting} is not the one that belongs to this data: {what} ({found}, and {mine} was given). Give back the one it was made with.");
        }
    }
}
