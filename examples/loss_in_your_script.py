"""Use a loss of selfsent in a training script of sentence-transformers. First: pip install selfsent."""

from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from selfsent.losses import CrossViewLoss

things = ("door", "ball", "book", "car", "tree", "boat", "cup", "hat")
active, passive = [f"the cat sees a {thing}" for thing in things], [f"a {thing} is seen by the cat" for thing in things]
views = Dataset.from_dict({"one": active, "other": passive})
tokenizer = Tokenizer(models.WordLevel(unk_token="?"))  # noqa: S106 no password
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.train_from_iterator(active + passive, trainers.WordLevelTrainer(special_tokens=["?"]))

model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=32)])  # or any model of the hub
loss = CrossViewLoss(model, queue_size=16, temperature=0.04)
arguments = SentenceTransformerTrainingArguments(
    "run", max_steps=5, per_device_train_batch_size=4, report_to="none", save_strategy="no", disable_tqdm=True
)
SentenceTransformerTrainer(model=model, args=arguments, train_dataset=views, loss=loss).train()
print(model.similarity(model.encode("the cat sees a cup"), model.encode("a cup is seen by the cat")))
