using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Storage;

/// <summary>Tables that instances keep in memory.</summary>
public static class MirroredTables
{
    /// <summary>Channel: a mirrored table changed.</summary>
    internal const string Changed = "mirrored_tables";

    /// <summary>
    /// SQL for the migration that creates a mirrored table, to be run after the table is there: adds the column <c>changed_in</c> with its index unless they exist, and the triggers that
    /// stamp a changed row with its transaction and notify the mirrors. May be run again.
    /// </summary>
    /// <param name="table">The table, with its schema when that is not <c>public</c>; lower case, as PostgreSQL knows it.</param>
    public static string CreateTrigger(string table)
    {
        ArgumentException.ThrowIfNullOrEmpty(table);
        return $"""
                ALTER TABLE {table} ADD COLUMN IF NOT EXISTS changed_in xid8 NOT NULL DEFAULT pg_current_xact_id();
                CREATE INDEX IF NOT EXISTS {table.Replace('.', '_')}_changed_in ON {table} (changed_in);
                CREATE OR REPLACE FUNCTION public.mirrored_table_stamp() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN NEW.changed_in := pg_current_xact_id(); RETURN NEW; END $$;
                CREATE OR REPLACE FUNCTION public.mirrored_table_notify() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_notify('{Changed}', TG_TABLE_NAME); RETURN NULL; END $$;
                CREATE OR REPLACE TRIGGER mirrored_table_stamp BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION public.mirrored_table_stamp();
                CREATE OR REPLACE TRIGGER mirrored_table_notify AFTER INSERT OR UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION public.mirrored_table_notify();
                """;
    }

    /// <summary>
    /// Keeps a table in memory in this instance. The service is not ready before every mirror is warm; when the database is away later, it goes on with what it has, and logs, metrics
    /// and health say so.
    /// </summary>
    /// <typeparam name="TMirror">The mirror; a singleton that others may take.</typeparam>
    public static void AddTableMirror<TMirror>(this IHostApplicationBuilder builder)
        where TMirror : TableMirror
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TMirror>();
        services.AddSingleton<TableMirror>(provider => provider.GetRequiredService<TMirror>());
        if (services.Any(registered => registered.ServiceType == typeof(MirrorHost)))
        {
            return;
        }

        services.AddSingleton<MirrorHost>();
        services.AddHostedService(provider => provider.GetRequiredService<MirrorHost>());
        services.AddHealthChecks().AddCheck<MirrorHost>("mirrors", tags: ["ready"]);
    }
}
