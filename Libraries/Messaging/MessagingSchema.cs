using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Messaging;

/// <summary>
/// The schema <c>messaging</c> of every service's database.
/// <list type="bullet">
/// <item><c>topics</c>, <c>outbox</c>: the way out. A row is inserted by the change that it tells of; the relay gives it a <c>sequence</c> once it is committed.</item>
/// <item><c>positions</c>, <c>applied_versions</c>, <c>dead_letters</c>: the way in, written in the transaction of the effects.</item>
/// </list>
/// </summary>
internal sealed class MessagingSchema : IDatabaseSchema
{
    /// <summary>Channel: rows were committed to the outbox.</summary>
    public const string Committed = "messaging_committed";

    /// <summary>Channel: rows got their sequence and may be read.</summary>
    public const string Sequenced = "messaging_sequenced";

    // One entry per version, never changed once released; entry n brings version n to n + 1.
    private static readonly string[] Versions =
    [
        $"""
         CREATE TABLE messaging.topics (
             topic text PRIMARY KEY,
             kind text NOT NULL,
             last_sequence bigint NOT NULL DEFAULT 0,
             published_sequence bigint NOT NULL DEFAULT 0);

         CREATE TABLE messaging.outbox (
             id uuid PRIMARY KEY,
             inserted bigint GENERATED ALWAYS AS IDENTITY,
             topic text NOT NULL,
             key uuid NOT NULL,
             aggregate_version bigint NOT NULL,
             type text NOT NULL,
             data json NOT NULL,
             time timestamptz NOT NULL,
             traceparent text,
             sequence bigint);
         CREATE INDEX outbox_waiting ON messaging.outbox (inserted) WHERE sequence IS NULL;
         CREATE UNIQUE INDEX outbox_sequence ON messaging.outbox (topic, sequence) WHERE sequence IS NOT NULL;
         CREATE INDEX outbox_key ON messaging.outbox (topic, key, aggregate_version);
         CREATE INDEX outbox_time ON messaging.outbox (time);

         CREATE FUNCTION messaging.notify_committed() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_notify('{Committed}', ''); RETURN NULL; END $$;
         CREATE TRIGGER outbox_committed AFTER INSERT ON messaging.outbox FOR EACH STATEMENT EXECUTE FUNCTION messaging.notify_committed();

         CREATE TABLE messaging.positions (
             transport text NOT NULL,
             topic text NOT NULL,
             partition integer NOT NULL,
             next bigint NOT NULL,
             sequence bigint NOT NULL,
             PRIMARY KEY (transport, topic, partition));

         CREATE TABLE messaging.applied_versions (
             topic text NOT NULL,
             key uuid NOT NULL,
             version bigint NOT NULL,
             PRIMARY KEY (topic, key));

         CREATE TABLE messaging.dead_letters (
             id uuid PRIMARY KEY,
             topic text NOT NULL,
             event_id uuid,
             type text,
             key uuid,
             aggregate_version bigint,
             event bytea NOT NULL,
             reason text NOT NULL,
             error text NOT NULL,
             attempts integer NOT NULL,
             state text NOT NULL,
             dead_at timestamptz NOT NULL,
             closed_at timestamptz);
         CREATE INDEX dead_letters_open ON messaging.dead_letters (state, id);
         """,

        // Rows come in the order of their time: ranges of pages are enough for the sweep, and cost nothing on the way of each event.
        """
         DROP INDEX messaging.outbox_time;
         CREATE INDEX outbox_time ON messaging.outbox USING brin (time);
         """,
    ];

    public string Schema => "messaging";

    public async Task ApplyAsync(NpgsqlConnection owner, CancellationToken cancellationToken)
    {
        await using var read = new NpgsqlCommand(
            """
            CREATE SCHEMA IF NOT EXISTS messaging;
            CREATE TABLE IF NOT EXISTS messaging.schema_version (version integer NOT NULL);
            SELECT coalesce(max(version), 0) FROM messaging.schema_version;
            """,
            owner);
        var version = (int)(await read.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        for (; version < Versions.Length; version++)
        {
            await using var apply = new NpgsqlCommand(
                $"{Versions[version]} DELETE FROM messaging.schema_version; INSERT INTO messaging.schema_version VALUES ({version + 1});",
                owner);
            await apply.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
