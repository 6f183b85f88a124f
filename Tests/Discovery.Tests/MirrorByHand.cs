using LlmMarketplace.Discovery.Search;
using LlmMarketplace.Storage;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace LlmMarketplace.Discovery.Tests;

internal static class MirrorByHand
{
    public static async Task CatchUpAsync(IServiceProvider services)
    {
        await ReadAsync(services, services.GetRequiredService<OrganisationMirror>());
        await ReadAsync(services, services.GetRequiredService<ListingMirror>());
    }

    private static async Task ReadAsync<T>(IServiceProvider services, TableMirror<T> mirror)
    {
        await using var command = services.GetRequiredService<NpgsqlDataSource>().CreateCommand($"SELECT {mirror.Columns} FROM {mirror.Table}");
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
        {
            rows.Add(mirror.Read(reader));
        }

        mirror.Apply(rows);
    }
}
