using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Catalogue;
using Npgsql;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>
/// The APIs that were called lately, read. A version's first call here reads its document from the database; it never changes, so what was read stays right. At most
/// <see cref="MostApis"/> are held: with more, one that was read earlier is given up.
/// </summary>
internal sealed class RestApis(NpgsqlDataSource database)
{
    private const int MostApis = 256;
    private readonly ConcurrentDictionary<Guid, RestApi> apis = new();

    /// <summary>A version's API; null: its document has not arrived yet.</summary>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    public async ValueTask<RestApi?> FindAsync(ListedVersion version, CancellationToken cancellationToken)
    {
        if (apis.TryGetValue(version.Id, out var known))
        {
            return known;
        }

        await using var find = database.CreateCommand("SELECT document FROM openapi_documents WHERE version_id = $1");
        find.Parameters.Add(new() { Value = version.Id });
        if (await find.ExecuteScalarAsync(cancellationToken) is not string document)
        {
            return null;
        }

        if (apis.Count >= MostApis && apis.Keys.FirstOrDefault() is var earlier)
        {
            apis.TryRemove(earlier, out _);
        }

        return apis[version.Id] = RestApi.Read(document);
    }
}
